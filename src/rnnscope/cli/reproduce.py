"""rnnscope reproduce NAME."""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rnnscope.cli import _options as o
from rnnscope.cli._terminal import err, named_warnings, out, print_json


def reproduce(
    name: Annotated[str, Parameter(help="Experiment: chaotic-lstm.")],
    *,
    run: o.NewRun = None,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Repeat an experiment of the papers: measure, draw its figures, and say what came out."""
    from rnnscope import experiments, figures

    began = time.perf_counter()
    experiment = experiments.load(name)
    with named_warnings():
        prepared = experiment.prepare(run or Path("runs") / name)
        results = experiment.measure(prepared)
        files = [
            figures.save(figures.load(figure)(results[result]), prepared.path / f"{file}.png")
            for file, figure, result in experiment.FIGURES
        ]
    if json:
        print_json({"run": str(prepared.path), **experiment.facts(results), "files": [str(file) for file in files]})
        return
    for line in experiment.tell(results):
        out.print(line)
    for file in files:
        out.print(str(file))
    err.print(f"{time.perf_counter() - began:.1f} s")
