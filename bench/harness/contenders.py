"""The servers that are measured: coppice's example and its peers."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from .process import BenchError, Server

PEERS = Path(__file__).resolve().parent.parent / "peers"


@dataclass
class Programs:
    """Where things are. A peer that is not installed is None."""

    bin: Path
    scratch: Path
    node: str | None = field(default_factory=lambda: shutil.which("node") or shutil.which("nodejs"))
    nginx: str | None = field(
        default_factory=lambda: shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    )

    def built(self, name: str) -> str:
        path = self.bin / name
        if not path.exists():
            raise BenchError(f"{path} is not built")
        return str(path)

    def new_scratch(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=name + "-", dir=self.scratch))


def coppice(programs: Programs, workers: int, log: str = "info", log_pipe: bool = False) -> Server:
    scratch = programs.new_scratch("coppice")
    command = [programs.built("http_hello"), "--listen", "tcp://127.0.0.1:0", "--workers", str(workers)]
    command += ["--state-dir", str(scratch / "state"), "--log", log]
    return Server(
        command,
        scratch,
        r"coppice: ready pid=(?P<pid>\d+) listen=\S*:(?P<port>\d+) workers=\d+\n",
        log_pipe=log_pipe,
    )


def idle_workers(programs: Programs, workers: int) -> Server:
    scratch = programs.new_scratch("idle-workers")
    command = [programs.built("bench_idle_workers"), str(workers)]
    return Server(
        command,
        scratch,
        r"ready pid=(?P<pid>\d+)\n",
        env={"COPPICE_STATE_DIR": str(scratch / "state")},
    )


def raw_pass(programs: Programs, workers: int) -> Server:
    return Server(
        [programs.built("bench_raw_pass"), str(workers)],
        programs.new_scratch("raw-pass"),
        r"ready port=(?P<port>\d+)\n",
    )


def node(programs: Programs, workers: int) -> Server:
    if not programs.node:
        raise BenchError("node is not installed")
    return Server(
        [programs.node, str(PEERS / "node_http.js")],
        programs.new_scratch("node"),
        r"ready port=(?P<port>\d+)\n",
        env={"WORKERS": str(workers)},
    )


class Nginx(Server):
    """nginx says nothing when it is ready and cannot choose a port: one that is free now is chosen for it."""

    def __init__(self, programs: Programs, workers: int):
        if not programs.nginx:
            raise BenchError("nginx is not installed")
        scratch = programs.new_scratch("nginx")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.chosen = probe.getsockname()[1]
        text = (PEERS / "nginx.conf.in").read_text()
        for key, value in {"WORKERS": workers, "PORT": self.chosen, "SCRATCH": scratch}.items():
            text = text.replace(f"@{key}@", str(value))
        (scratch / "nginx.conf").write_text(text)
        super().__init__([programs.nginx, "-p", str(scratch), "-c", str(scratch / "nginx.conf")], scratch, "")

    @property
    def port(self) -> int:
        return self.chosen

    def _await_ready(self, deadline: float):
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise BenchError(f"nginx ended before it was ready: {self.log().strip()[-500:]}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.chosen)) == 0:
                    return None
            time.sleep(0.01)
        raise BenchError("nginx was not ready")
