"""rnnscope demo."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from rnnscope.cli import _options as o
from rnnscope.cli._terminal import err, named_warnings, out, print_json
from rnnscope.cli.probe import probe_with_progress
from rnnscope.cli.train import train_with_progress

if TYPE_CHECKING:
    import xarray

    from rnnscope.runs import Run

STRIDE, LAST = 4, 20


def demo(
    *,
    run: o.NewRun = None,
    overwrite: o.Overwrite = False,
    set: o.Changes = None,
    seed: o.Seed = None,
    workers: o.Workers = 1,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Train a small LSTM on sine waves, record it, and show which attractors it had when."""
    from rnnscope.training import Config

    began = time.perf_counter()
    path = run or Path("runs/demo")
    with named_warnings():
        recorded = train_with_progress(Config.assemble("sine", changes=set or (), seed=seed), path, overwrite=overwrite)
        orbits, start = measure(recorded, workers)
        files = draw(recorded, orbits, start)
        facts = seen(recorded, orbits)
    if json:
        print_json({"run": str(path), **facts, "files": [str(file) for file in files]})
        return
    tell(recorded, orbits, facts)
    err.print(f"{time.perf_counter() - began:.0f} s")
    out.print(f"report: {files[0]}")
    further = [f"attractors {path} --epochs 20"] * (not recorded.has("attractors"))
    further += [f"bifurcations {path}"] * (not recorded.has("bifurcations"))
    for probe in further:
        out.print(f"next: rnnscope probe {probe}, then rnnscope report {path} -o {files[0]}")


def measure(run: "Run", workers: int) -> "tuple[xarray.Dataset, xarray.Dataset]":
    """Orbits of every 4th epoch and of the last 20, and the first steps of orbits at a few epochs."""
    from rnnscope.attractors.orbits import Orbits

    epochs = sorted({*run.epochs[::STRIDE].tolist(), *run.epochs[-LAST:].tolist()})
    probe = run.default_probe("orbits")
    orbits = probe_with_progress(run, probe, epochs, workers)
    assert isinstance(probe, Orbits)
    beginning = run.default_probe("orbits", n_transient=0, n_keep=200)
    chosen = [int(run.epochs[round(place * (len(run.epochs) - 1))]) for place in (0.0, 0.1, 0.2, 0.5, 1.0)]
    return orbits, run.probe(beginning, epochs=chosen)


def draw(run: "Run", orbits: "xarray.Dataset", start: "xarray.Dataset") -> list[Path]:
    """The report and the figures, the report first."""
    from rnnscope import figures
    from rnnscope.attractors import summarise_orbits
    from rnnscope.report import write_report

    summary = summarise_orbits(orbits)
    drawn = {
        "orbit-diagram.png": figures.orbit_diagram(orbits, scalars=run.scalars),
        "tunnel.png": figures.tunnel(orbits),
        "kind-map.png": figures.kind_map(summary),
        "transient.png": figures.transient(start),
        "frequency.png": figures.frequency(summary),
    }
    files = [figures.save(figure, run.path / name) for name, figure in drawn.items()]
    return [write_report(run, run.path / "report.html"), *files]


def seen(run: "Run", orbits: "xarray.Dataset") -> dict[str, Any]:
    """What a demo is to show, as plain data."""
    from dataclasses import asdict

    from rnnscope.attractors import summarise_orbits
    from rnnscope.cli._results import phases_data
    from rnnscope.findings.orbits import headline
    from rnnscope.findings.story import sentences

    summary = summarise_orbits(orbits)
    last = summary["input_kind"].isel(step=slice(-LAST, None)) == 1
    return {
        "headline": asdict(headline(summary, run.scalars)),
        "phases": phases_data(run, "orbits", orbits),
        "story": sentences(summary, run.scalars),
        "fewest_oscillating_in_last": int(last.sum("input").min()),
    }


def tell(run: "Run", orbits: "xarray.Dataset", facts: dict[str, Any]) -> None:
    """Print the phases, the frequencies learned, and what happened in words."""
    from rnnscope.cli._results import found_table

    out.print()
    out.print(found_table(run, "orbits", orbits))
    out.print()
    out.print(frequency_table(orbits))
    out.print()
    for sentence in facts["story"]:
        out.print(sentence)


def frequency_table(orbits: "xarray.Dataset") -> Table:
    """Wanted and learned frequency at each input at the last epochs, or what it does most often where it has none."""
    import numpy as np

    from rnnscope.attractors import summarise_orbits
    from rnnscope.findings.endings import ending
    from rnnscope.findings.kinds import KINDS

    summary = summarise_orbits(orbits.isel(step=slice(-LAST, None)))
    end = ending(summary, LAST)
    table = Table(
        box=None, pad_edge=False, header_style="bold", title="frequency in rad/step, last epochs", title_justify="left"
    )
    for column in ("wanted", *(f"{w:.3f}" for w in summary["wanted_frequency"].values)):
        table.add_column(column, justify="left" if column == "wanted" else "right", overflow="fold")
    learned = zip(end.frequency, end.kinds, strict=True)
    table.add_row("learned", *(KINDS[kind] if np.isnan(value) else f"{value:.3f}" for value, kind in learned))
    return table
