"""Figures: a median, its spread, and ratios pair by pair. Pure."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """One result. `low` and `high` are the quartiles of the `count` samples that `value` is the median of."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    count: int

    def as_json(self) -> dict:
        return asdict(self)

    def as_text(self) -> str:
        spread = f"[{_short(self.low)} .. {_short(self.high)}]" if self.count > 1 else ""
        return f"  {self.name:<56} {_short(self.value):>9} {self.unit:<4} {spread}"


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def quantile(samples: list[float], share: float) -> float:
    """The sample below which `share` of them lie (nearest rank)."""
    ordered = sorted(samples)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def median_of(name: str, unit: str, samples: list[float]) -> Figure:
    return Figure(
        name, statistics.median(samples), unit, quantile(samples, 0.25), quantile(samples, 0.75), len(samples)
    )


def quantile_of(name: str, unit: str, samples: list[float], share: float) -> Figure:
    value = quantile(samples, share)
    return Figure(name, value, unit, value, value, len(samples))


def ratio_of(name: str, ours: list[float], theirs: list[float]) -> Figure:
    """How often what was measured in the same round, side by side, goes into one another."""
    return median_of(name, "x", [a / b for a, b in zip(ours, theirs) if b > 0])
