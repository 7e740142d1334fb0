"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from .contenders import Programs


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "none"
    return ((done.stdout or done.stderr).strip().splitlines() or ["none"])[0]


def _search(path: str, pattern: str) -> str:
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        return "unknown"
    return found[1].strip() if found else "unknown"


def describe(programs: Programs) -> dict[str, str]:
    source = Path(__file__).resolve().parents[2]
    processor = _search("/proc/cpuinfo", r"^model name\s*:(.*)$")
    memory_kib = _search("/proc/meminfo", r"^MemTotal:\s+(\d+)")
    memory = f"{int(memory_kib) / 2**20:.1f} GiB" if memory_kib.isdigit() else "memory unknown"
    cache = str(programs.bin.parent / "CMakeCache.txt")
    return {
        "machine": f"{processor}, {os.cpu_count()} cores, {memory}",
        "kernel": platform.release(),
        "system": _search("/etc/os-release", r'^PRETTY_NAME="(.*)"'),
        "coppice": _first_line("git", "-C", str(source), "describe", "--always", "--dirty"),
        "build": _search(cache, r"^CMAKE_BUILD_TYPE:\w+=(.*)$"),
        "compiler": _first_line(_search(cache, r"^CMAKE_CXX_COMPILER:\w+=(.*)$"), "--version"),
        "nginx": _first_line(programs.nginx, "-v") if programs.nginx else "none",
        "node": _first_line(programs.node, "--version") if programs.node else "none",
    }
