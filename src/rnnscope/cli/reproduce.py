"""rnnscope reproduce NAME."""

import os
import time
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from cyclopts import Parameter

from rnnscope.base.errors import require
from rnnscope.cli import _options as o
from rnnscope.cli._terminal import err, named_warnings, out, parse_seeds, print_json


def reproduce(
    name: Annotated[str, Parameter(help="Experiment: chaotic-lstm, sine, symbols.")],
    *,
    preset: Annotated[str | None, o.option("quick (default) or paper; sine and symbols.")] = None,
    seeds: Annotated[
        str | None, o.option("How many seeds (5: 0 to 4), a range (3:8), or which (0,3,7); the preset's by default.")
    ] = None,
    models: Annotated[str | None, o.option("Which networks, such as lstm,orthogonal; all by default.")] = None,
    claims: Annotated[
        str | None, o.option("Which claims to tell, by name, such as stable-one-point; all is trained.")
    ] = None,
    changes: o.Changes = None,
    device: o.Device = None,
    workers: Annotated[int | None, o.option("Processes; by default one for each core.", "--workers")] = None,
    run: Annotated[Path | None, o.option("Folder for everything; runs/NAME or runs/NAME-PRESET by default.")] = None,
    compile: o.Compile = False,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Repeat an experiment of the papers: train over seeds, measure, draw its figures, and decide its claims."""
    from rnnscope import experiments

    began = time.perf_counter()
    experiment = experiments.load(name)
    given = {
        "preset": preset, "seeds": seeds, "models": models, "claims": claims, "set": changes, "device": device,
        "workers": workers,
    }  # fmt: skip
    if not hasattr(experiment, "STUDY"):
        useless = [f"--{option}" for option, value in given.items() if value is not None]
        if useless:
            raise ValueError(f"{', '.join(useless)}: {name} is about one network whose weights are given; leave it out")
        _measure_given(experiment, run or Path("runs") / name, compile=compile, json=json)
    else:
        if compile:
            raise ValueError(f"--compile: {name} measures no costs at many points; it is for chaotic-lstm")
        from rnnscope.cli._study import run_study

        workers = (os.cpu_count() or 1) if workers is None else workers
        require(workers >= 1, "workers", "a positive whole number", workers)
        chosen = preset or "quick"
        folder = run or Path("runs") / f"{name}-{chosen}"
        plan = experiments.plan(
            experiment.STUDY,
            folder,
            preset=chosen,
            seeds=None if seeds is None else parse_seeds(seeds),
            models=_names(models),
            claims=_names(claims),
            changes=changes or (),
            device=device,
        )
        run_study(plan, folder, workers=workers, json=json)
    err.print(f"{time.perf_counter() - began:.1f} s")


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _measure_given(experiment: ModuleType, path: Path, *, compile: bool, json: bool) -> None:
    """Measure a network whose weights are given, and say what came out."""
    from rnnscope import figures

    with named_warnings():
        prepared = experiment.prepare(path)
        results = experiment.measure(prepared, compile=compile)
        files: list[Any] = [
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
