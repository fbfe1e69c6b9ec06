"""A small harness: pairs of ways to do the same thing, run alternately, equal results first, medians and ratios."""

import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Timing:
    """Medians of both ways in seconds, the median of the ratios of neighbours, and the target for that ratio."""

    name: str
    ours: float
    reference: float
    ratio: float
    target: str
    met: bool
    note: str


def compare(
    name: str,
    ours: Callable[[], object],
    reference: Callable[[], object],
    *,
    at_most: float,
    equal: Callable[[], None] | None = None,
    repeats: int = 7,
    note: str = "",
) -> Timing:
    """Time two ways alternately in one run, after checking that they give the same; ratio = ours / reference."""
    if equal is not None:
        equal()
    ours()
    reference()
    pairs = [(_seconds(ours), _seconds(reference)) for _ in range(repeats)]
    ratio = statistics.median(a / b for a, b in pairs)
    medians = [statistics.median(times) for times in zip(*pairs, strict=True)]
    return Timing(name, medians[0], medians[1], ratio, f"at most {at_most:g}", ratio <= at_most, note)


def write(timings: list[Timing]) -> Path:
    """Print the table and keep it as JSON, with what it was measured on."""
    width = max(len(timing.name) for timing in timings)
    print(f"\n{'case':<{width}}  {'ours':>10}  {'reference':>10}  {'ratio':>7}  target")
    for t in timings:
        mark = "" if t.met else "  NOT MET"
        print(f"{t.name:<{width}}  {_show(t.ours)}  {_show(t.reference)}  {t.ratio:>7.3f}  {t.target}{mark}  {t.note}")
    machine = {"processor": platform.machine(), "system": platform.platform(), "threads": torch.get_num_threads()}
    content = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "torch": torch.__version__,
        **machine,
        "timings": [asdict(t) for t in timings],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def _seconds(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def _show(seconds: float) -> str:
    return f"{1e3 * seconds:>8.2f} ms" if seconds < 10 else f"{seconds:>9.1f} s"
