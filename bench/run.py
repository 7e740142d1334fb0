#!/usr/bin/env python3
"""Measures coppice and its peers side by side in one run, on loopback. scripts/bench builds what it needs and runs it.

A figure is the median of interleaved rounds with its quartiles; a ratio is taken round by round. Nothing here is a
test: there are no thresholds, and a machine under load gives other figures.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import machine  # noqa: E402
from harness.benchmarks import ALL, Run  # noqa: E402
from harness.contenders import Programs  # noqa: E402


def main() -> int:
    source = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.partition("\n")[0])
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"which of {', '.join(ALL)}; all of them if none")
    parser.add_argument("--quick", action="store_true", help="3 short rounds, to see that it works")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results there as JSON")
    parser.add_argument("--seed", type=int, default=None, help="of the order of rounds and of pauses")
    parser.add_argument("--rounds", type=int, default=None, help="interleaved rounds (11; quick: 3)")
    parser.add_argument("--bin", type=Path, default=source / "build/release/bin", help="where the programs are")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in ALL]:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(ALL)}")

    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**31)
    quick = options.quick
    results = []
    with tempfile.TemporaryDirectory(prefix="coppice-bench-") as scratch:
        programs = Programs(options.bin.resolve(), Path(scratch))
        environment = {**machine.describe(programs), "seed": str(seed), "quick": str(quick).lower()}
        for key, value in environment.items():
            print(f"{key + ':':<10} {value}")
        run = Run(
            programs,
            rounds=options.rounds or (3 if quick else 11),
            load_seconds=0.4 if quick else 1.5,
            warm_up_seconds=0.1 if quick else 0.3,
            kills=5 if quick else 20,
            idle_seconds=5 if quick else 20,
            random=random.Random(seed),
        )
        for name in options.names or ALL:
            begun = time.monotonic()
            print(f"\n{name}: {ALL[name].__doc__}", flush=True)
            figures = ALL[name](run)
            for figure in figures:
                print(figure.as_text())
            print(f"  ({time.monotonic() - begun:.0f} s)", flush=True)
            results += [figure.as_json() for figure in figures]
    if options.json:
        document = {"environment": environment, "notes": run.notes, "results": results}
        options.json.write_text(json.dumps(document, indent=2) + "\n")
        print(f"\nwritten to {options.json}")
    return 0 if results else 1


if __name__ == "__main__":
    sys.exit(main())
