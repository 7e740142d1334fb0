"""What is measured. Each benchmark takes a Run and returns figures; docs/performance.md says what they mean."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import re
import statistics
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Callable

from . import contenders
from .contenders import PEERS, Programs
from .figures import Figure, median_of, quantile_of, ratio_of
from .process import BenchError, Server, run_json

WORKERS = 2
CONNECTIONS = 64
ANSWER_PATH = "/n/42"  # two bytes, as the peers answer
READY_TEXT = "): ready"  # in the line that the primary logs, at level debug, for each worker


Sample = dict[str, float | list[float]]
"""What one contender gave in one round, by figure."""


@dataclass
class Run:
    programs: Programs
    rounds: int
    load_seconds: float
    warm_up_seconds: float
    kills: int
    idle_seconds: float
    random: random.Random
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
            print(f"  note: {text}", flush=True)

    def interleaved(self, measures: dict[str, Callable[[], Sample]]) -> dict[str, list[Sample]]:
        """One sample of each a round, in an order that is new in each round, so that what drifts hits all alike.
        A round before the first warms everything up and does not count. What fails once is left out from then on, and
        noted."""
        samples: dict[str, list[Sample]] = {name: [] for name in measures}
        for number in range(self.rounds + 1):
            order = list(samples)
            self.random.shuffle(order)
            for name in order:
                try:
                    sample = measures[name]()
                except BenchError as error:
                    self.note(f"{name} is left out: {error}")
                    del samples[name]
                    continue
                if number > 0:
                    samples[name].append(sample)
        return samples

    def start_all(self, stack: contextlib.ExitStack, makers: dict[str, Callable[[], Server]]) -> dict[str, Server]:
        servers = {}
        for name, make in makers.items():
            try:
                servers[name] = stack.enter_context(make())
            except BenchError as error:
                self.note(f"{name} is left out: {error}")
        return servers


def _column(samples: list[Sample], key: str) -> list:
    return [sample[key] for sample in samples]


def _compared(samples: dict[str, list[Sample]], ours: str, key: str, unit: str, base: str) -> list[Figure]:
    """The figure `key` of each contender, and how ours compares with each other's."""
    figures = [median_of(f"{base}/{name}/{key}", unit, _column(rows, key)) for name, rows in samples.items()]
    for name, rows in samples.items():
        if ours in samples and name != ours:
            figures.append(ratio_of(f"{base}/{ours}/{key}_to_{name}", _column(samples[ours], key), _column(rows, key)))
    return figures


def _load(run: Run, ours: str, base: str, options: list[str]) -> list[Figure]:
    programs = run.programs

    def measure(name: str, server: Server) -> Sample:
        command = [programs.built("bench_load"), "--port", str(server.port), "--path", ANSWER_PATH]
        command += ["--connections", str(CONNECTIONS), "--tree", str(server.pid), *options]
        command += ["--seconds", str(run.load_seconds), "--warm-up", str(run.warm_up_seconds)]
        answer = run_json(command, run.load_seconds + run.warm_up_seconds + 30)
        if answer["ok"] == 0:
            raise BenchError("no request was answered")
        if bad := answer["failed"] + answer["wrong_status"]:
            run.note(f"{base}/{name}: {bad} of {answer['ok'] + bad} requests failed or were not answered 200")
        return answer

    with contextlib.ExitStack() as stack:
        servers = run.start_all(
            stack,
            {
                ours: lambda: contenders.coppice(programs, WORKERS),
                "raw-passS64": lambda: contenders.raw_pass(programs, WORKERS),
                "nginx": lambda: contenders.Nginx(programs, WORKERS),
                "node-rr": lambda: contenders.node(programs, WORKERS),
            },
        )
        samples = run.interleaved({name: partial(measure, name, server) for name, server in servers.items()})
    figures = _compared(samples, ours, "server_cpu_us", "us", base)
    return figures + [median_of(f"{base}/{name}/rate", "1/s", _column(rows, "rate")) for name, rows in samples.items()]


def dispatch(run: Run) -> list[Figure]:
    """One request on each connection: what handing out a connection costs the server."""
    return _load(run, "coppice-handoff", "dispatch", [])


def keepalive(run: Run) -> list[Figure]:
    """Many requests on a connection: what a request costs the server."""
    return _load(run, "coppice", "keepalive", ["--keep-alive"])


def restart(run: Run) -> list[Figure]:
    """kill -9 of the only worker: to the first answer of its successor, and to its being ready."""
    programs = run.programs

    def coppice(server: Server) -> Sample:
        command = [programs.built("bench_restart_client"), "--port", str(server.port), "--primary", str(server.pid)]
        command += ["--kills", str(run.kills), "--seed", str(run.random.randrange(2**31))]
        command += ["--ready-text", READY_TEXT]
        seen = run_json(command, run.kills * 6 + 10, stdin=server.process.stderr)
        if seen["broken"]:
            run.note("restart/coppice: connections broke and were made again")
        return {
            "p50_us": statistics.median(seen["answer_us"]),
            "answer_us": seen["answer_us"],
            "ready_p50_us": statistics.median(seen["ready_us"]) if len(seen["ready_us"]) == run.kills else 0,
        }

    def raw_fork() -> Sample:
        command = [programs.built("bench_raw_spawn"), "restart", str(run.kills), str(run.random.randrange(2**31))]
        return {"p50_us": statistics.median(run_json(command, run.kills + 10)["ready_us"])}

    def node() -> Sample:
        if not programs.node:
            raise BenchError("node is not installed")
        kills = max(run.kills // 2, 3)
        command = [programs.node, str(PEERS / "node_restart.js")]
        return {"p50_us": statistics.median(run_json(command, kills * 2 + 30, env={"KILLS": str(kills)})["ready_us"])}

    with contextlib.ExitStack() as stack:
        servers = run.start_all(stack, {"coppice": lambda: contenders.coppice(programs, 1, "debug", log_pipe=True)})
        ours = {name: partial(coppice, server) for name, server in servers.items()}
        samples = run.interleaved({**ours, "raw-fork": raw_fork, "node": node})
    figures = _compared(samples, "coppice", "p50_us", "us", "restart")
    if rows := samples.get("coppice"):
        answers = [time for row in rows for time in row["answer_us"]]
        figures.append(quantile_of("restart/coppice/p99_us", "us", answers, 0.99))
        ready = _column(rows, "ready_p50_us")
        if not all(ready):
            run.note(f"restart/coppice: its log did not say '{READY_TEXT}' after each kill: no ready_p50_us")
            return figures
        figures.append(median_of("restart/coppice/ready_p50_us", "us", ready))
        if "raw-fork" in samples:
            raw = _column(samples["raw-fork"], "p50_us")
            figures.append(ratio_of("restart/coppice/ready_p50_us_to_raw-fork", ready, raw))
    return figures


def _logged_ready_ms(server, count: int) -> float | None:
    """How long it says that it took to have all workers up; None if it does not."""
    logged = re.search(rf"ready: {count} workers in ([\d.]+) ms", server.log())
    return float(logged[1]) if logged else None


def _raw_forks(programs, count: int) -> Sample:
    """The same number of processes, forked by hand."""
    return run_json([programs.built("bench_raw_spawn"), "scale", str(count)], 60)


def spawn200(run: Run) -> list[Figure]:
    """200 workers from nothing."""
    programs, count = run.programs, 200

    def coppice() -> Sample:
        with contenders.coppice(programs, 1) as server:
            one = server.start_seconds * 1e3
        with contenders.coppice(programs, count) as server:
            many = server.start_seconds * 1e3
        return {
            "start_to_ready_ms": many,
            "one_worker_start_to_ready_ms": one,
            "ready_ms": _logged_ready_ms(server, count) or many - one,
        }

    samples = run.interleaved({"coppice": coppice, "raw-fork": partial(_raw_forks, programs, count)})
    figures = _compared(samples, "coppice", "ready_ms", "ms", "spawn200")
    for key in ("start_to_ready_ms", "one_worker_start_to_ready_ms"):
        if rows := samples.get("coppice"):
            figures.append(median_of(f"spawn200/coppice/{key}", "ms", _column(rows, key)))
    return figures


def _anonymous_kib(pid: int) -> float:
    """What a process has that is no file's and nobody else's: its heap and stacks, touched so far (proc(5))."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return float(re.search(r"^Anonymous:\s+(\d+) kB$", text, re.MULTILINE)[1])


def workers1000(run: Run) -> list[Figure]:
    """1,000 workers that do nothing: the time until all are ready, and the primary's memory for each."""
    count = 1000

    def coppice() -> Sample:
        with contenders.idle_workers(run.programs, 1) as server:
            one = _anonymous_kib(server.pid)
        with contenders.idle_workers(run.programs, count) as server:
            ready = _logged_ready_ms(server, count)
            if ready is None:
                raise BenchError("the log does not say how long it took")
            return {
                "ready_ms": ready,
                "primary_kib_per_worker": (_anonymous_kib(server.pid) - one) / (count - 1),
            }

    fewer = dataclasses.replace(run, rounds=min(run.rounds, 5))
    samples = fewer.interleaved({"coppice": coppice, "raw-fork": partial(_raw_forks, run.programs, count)})
    figures = _compared(samples, "coppice", "ready_ms", "ms", "workers1000")
    if rows := samples.get("coppice"):
        key = "primary_kib_per_worker"
        figures.append(median_of(f"workers1000/coppice/{key}", "KiB", _column(rows, key)))
    return figures


def _children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            if re.search(rf"^PPid:\t{pid}$", status.read_text(), re.MULTILINE):
                found.append(int(status.parent.name))
    return found


def _wake_ups(pid: int) -> int:
    """How often the threads of a process have gone to sleep (proc(5)): each is one waking."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        found = re.search(r"^voluntary_ctxt_switches:\t(\d+)$", status.read_text(), re.MULTILINE)
        total += int(found[1]) if found else 0
    return total


def idle(run: Run) -> list[Figure]:
    """How often the processes of a service with four workers and no client wake up. One stretch of time."""
    with contextlib.ExitStack() as stack:
        servers = run.start_all(stack, {"coppice": lambda: contenders.coppice(run.programs, 4)})
        if not servers:
            return []
        primary = servers["coppice"].pid
        roles = {primary: "primary"}
        for pid in _children(primary):
            title = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            roles[pid] = "zygote" if "zygote" in title else "worker"
        time.sleep(2)  # what starting leaves behind is not idling
        begun, before = time.monotonic(), {pid: _wake_ups(pid) for pid in roles}
        time.sleep(run.idle_seconds)
        took = time.monotonic() - begun
        rates: dict[str, list[float]] = {}
        for pid, role in roles.items():
            rates.setdefault(role, []).append((_wake_ups(pid) - before[pid]) / took)
    return [median_of(f"idle/coppice/{role}_wakeups_per_s", "1/s", values) for role, values in rates.items()]


ALL: dict[str, Callable[[Run], list[Figure]]] = {
    "dispatch": dispatch,
    "keepalive": keepalive,
    "restart": restart,
    "spawn200": spawn200,
    "workers1000": workers1000,
    "idle": idle,
}
