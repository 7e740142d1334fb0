"""Processes that the harness starts, each with a bound on every wait, and none left behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import shutil
import subprocess
import time
from pathlib import Path

START_SECONDS = 30
STOP_SECONDS = 15


class BenchError(Exception):
    """A measurement that could not be made; says why."""


def _owned(command: list[str]) -> list[str]:
    """The command, asked to end should the harness be killed. setpriv(1) executes it, so the pid is its own."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", *command] if setpriv else command


class Server:
    """A server under test: started, ready, and ended with SIGTERM when the `with` block is left.

    It is ready when a line of its standard output matches `ready`; the match is kept in `match`. With `log_pipe` its
    standard error is the pipe `log`, else it goes to a file.
    """

    def __init__(self, command: list[str], scratch: Path, ready: str, env: dict | None = None, log_pipe=False):
        self.command, self.scratch, self.ready = command, scratch, re.compile(ready)
        self.env = {**os.environ, **(env or {})}
        self.log_pipe = log_pipe
        self.log_path = scratch / "log"
        self.start_seconds = 0.0

    def __enter__(self) -> Server:
        self.scratch.mkdir(parents=True, exist_ok=True)
        with open(self.log_path, "wb") as log:
            begun = time.monotonic()
            self.process = subprocess.Popen(
                _owned(self.command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if self.log_pipe else log,
                env=self.env,
            )
        try:
            self.match = self._await_ready(begun + START_SECONDS)
            self.start_seconds = time.monotonic() - begun
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise BenchError(f"{self.command[0]} did not end within {STOP_SECONDS} s of SIGTERM") from None
        finally:
            for stream in (self.process.stdout, self.process.stderr):
                if stream:
                    stream.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        return int(self.match["port"])

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def _await_ready(self, deadline: float) -> re.Match:
        text = ""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                if not selector.select(left):
                    break
                piece = os.read(self.process.stdout.fileno(), 4096).decode(errors="replace")
                text += piece
                if match := self.ready.search(text):
                    return match
                if not piece:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self.process.wait(1)
                    said = "" if self.log_pipe else self.log().strip()[-500:]
                    raise BenchError(f"{self.command[0]} ended before it was ready: {said or 'it said nothing'}")
        raise BenchError(f"{self.command[0]} was not ready after {START_SECONDS} s")


def run_json(command: list[str], seconds: float, env: dict | None = None, stdin=subprocess.DEVNULL) -> dict:
    """Runs a client to its end, within `seconds`, and returns the JSON that it prints."""
    try:
        done = subprocess.run(
            _owned(command),
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**os.environ, **(env or {})},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{command[0]} took longer than {seconds:.0f} s") from None
    if done.returncode != 0:
        raise BenchError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)
