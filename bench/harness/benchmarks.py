"""What is measured. Each benchmark takes a Run and returns figures; docs/performance.md says what they mean."""

from __future__ import annotations

import contextlib
import random
import re
import statistics
import time
from dataclasses import dataclass, field
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

    def interleaved(self, measures: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
        """One sample of each a round, in an order that is new in each round, so that what drifts hits all alike.
        What fails once is left out from then on, and noted."""
        samples: dict[str, list[float]] = {name: [] for name in measures}
        failed: set[str] = set()
        for _ in range(self.rounds):
            order = [name for name in measures if name not in failed]
            self.random.shuffle(order)
            for name in order:
                try:
                    samples[name].append(measures[name]())
                except BenchError as error:
                    self.note(f"{name} is left out: {error}")
                    failed.add(name)
        return {name: values for name, values in samples.items() if name not in failed}

    def start_all(self, stack: contextlib.ExitStack, makers: dict[str, Callable[[], Server]]) -> dict[str, Server]:
        servers = {}
        for name, make in makers.items():
            try:
                servers[name] = stack.enter_context(make())
            except BenchError as error:
                self.note(f"{name} is left out: {error}")
        return servers


def _with_ratios(ours: str, unit_name: str, unit: str, base: str, samples: dict[str, list[float]]) -> list[Figure]:
    figures = [median_of(f"{base}/{name}/{unit_name}", unit, values) for name, values in samples.items()]
    for name, values in samples.items():
        if ours in samples and name != ours:
            figures.append(ratio_of(f"{base}/{ours}/{unit_name}_to_{name}", samples[ours], values))
    return figures


def _load(run: Run, ours: str, base: str, options: list[str]) -> list[Figure]:
    programs = run.programs
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
        rates: dict[str, list[float]] = {name: [] for name in servers}

        def measure(name: str) -> float:
            command = [programs.built("bench_load"), "--port", str(servers[name].port), "--path", ANSWER_PATH]
            command += ["--connections", str(CONNECTIONS), "--tree", str(servers[name].pid), *options]
            command += ["--seconds", str(run.load_seconds), "--warm-up", str(run.warm_up_seconds)]
            answer = run_json(command, run.load_seconds + run.warm_up_seconds + 30)
            if answer["ok"] == 0:
                raise BenchError("no request was answered")
            if bad := answer["failed"] + answer["wrong_status"]:
                run.note(f"{base}/{name}: {bad} of {answer['ok'] + bad} requests failed or were not answered 200")
            rates[name].append(answer["rate"])
            return answer["server_cpu_us"]

        samples = run.interleaved({name: lambda name=name: measure(name) for name in servers})
    figures = _with_ratios(ours, "server_cpu_us", "us", base, samples)
    return figures + [median_of(f"{base}/{name}/rate", "1/s", rates[name]) for name in samples]


def dispatch(run: Run) -> list[Figure]:
    """One request on each connection: what handing out a connection costs the server."""
    return _load(run, "coppice-handoff", "dispatch", [])


def keepalive(run: Run) -> list[Figure]:
    """Many requests on a connection: what a request costs the server."""
    return _load(run, "coppice", "keepalive", ["--keep-alive"])


def restart(run: Run) -> list[Figure]:
    """kill -9 of the only worker: to the first answer of its successor, and to its being ready."""
    programs = run.programs
    answers: list[float] = []
    ready: list[list[float]] = []

    def coppice(server: Server) -> float:
        command = [programs.built("bench_restart_client"), "--port", str(server.port), "--primary", str(server.pid)]
        command += ["--kills", str(run.kills), "--seed", str(run.random.randrange(2**31))]
        command += ["--ready-text", READY_TEXT]
        seen = run_json(command, run.kills * 6 + 10, stdin=server.process.stderr)
        answers.extend(seen["answer_us"])
        ready.append(seen["ready_us"])
        if seen["broken"]:
            run.note(f"restart/coppice: {seen['broken']} connections broke and were made again")
        return statistics.median(seen["answer_us"])

    def raw_fork() -> float:
        command = [programs.built("bench_raw_spawn"), "restart", str(run.kills), str(run.random.randrange(2**31))]
        return statistics.median(run_json(command, run.kills + 10)["ready_us"])

    def node() -> float:
        if not programs.node:
            raise BenchError("node is not installed")
        command = [programs.node, str(PEERS / "node_restart.js")]
        kills = max(run.kills // 2, 3)
        return statistics.median(run_json(command, kills * 2 + 30, env={"KILLS": str(kills)})["ready_us"])

    with contextlib.ExitStack() as stack:
        servers = run.start_all(stack, {"coppice": lambda: contenders.coppice(programs, 1, "debug", log_pipe=True)})
        measures = {name: lambda server=server: coppice(server) for name, server in servers.items()}
        samples = run.interleaved({**measures, "raw-fork": raw_fork, "node": node})
    figures = _with_ratios("coppice", "p50_us", "us", "restart", samples)
    if "coppice" in samples:
        figures.append(quantile_of("restart/coppice/p99_us", "us", answers, 0.99))
        if all(ready):
            medians = [statistics.median(times) for times in ready]
            figures.append(median_of("restart/coppice/ready_p50_us", "us", medians))
            if "raw-fork" in samples:
                figures.append(ratio_of("restart/coppice/ready_p50_us_to_raw-fork", medians, samples["raw-fork"]))
        else:
            run.note(f"restart/coppice: its log did not say '{READY_TEXT}' after each kill: no ready_p50_us")
    return figures


def spawn200(run: Run) -> list[Figure]:
    """200 workers from nothing."""
    programs, count = run.programs, 200
    logged: list[float] = []

    def start(workers: int) -> float:
        with contenders.coppice(programs, workers) as server:
            took_ms = server.start_seconds * 1e3
        said = re.findall(rf"ready: {workers} workers in ([\d.]+) ms", server.log())
        if workers == count and said:
            logged.append(float(said[-1]))
        return took_ms

    def raw_fork() -> float:
        return run_json([programs.built("bench_raw_spawn"), "scale", str(count)], 30)["ready_ms"]

    samples = run.interleaved(
        {"coppice": lambda: start(count), "coppice one worker": lambda: start(1), "raw-fork": raw_fork}
    )
    figures = []
    if "raw-fork" in samples:
        figures.append(median_of("spawn200/raw-fork/ready_ms", "ms", samples["raw-fork"]))
    if "coppice" not in samples or "coppice one worker" not in samples:
        return figures
    figures.append(median_of("spawn200/coppice/start_to_ready_ms", "ms", samples["coppice"]))
    figures.append(median_of("spawn200/coppice/one_worker_start_to_ready_ms", "ms", samples["coppice one worker"]))
    if len(logged) == len(samples["coppice"]):
        ready, how = logged, "as the primary logs it"
    else:
        ready = [many - one for many, one in zip(samples["coppice"], samples["coppice one worker"])]
        how = "the start with 200 workers less the start with one"
    run.note(f"spawn200/coppice/ready_ms is {how}")
    figures.append(median_of("spawn200/coppice/ready_ms", "ms", ready))
    if "raw-fork" in samples:
        figures.append(ratio_of("spawn200/coppice/ready_ms_to_raw-fork", ready, samples["raw-fork"]))
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
    "idle": idle,
}
