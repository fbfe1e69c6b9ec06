"""rnnscope probe NAME RUN..."""

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from rnnscope.cli import _options as o
from rnnscope.cli._results import found_table, phases_data
from rnnscope.cli._terminal import (
    make_model,
    named_warnings,
    out,
    parse_epochs,
    parse_settings,
    print_json,
    progress_bar,
)
from rnnscope.runs import probes

if TYPE_CHECKING:
    import xarray

    from rnnscope.runs import Run


def _either(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


_NAMES = f"Probe of the map: {_either(probes.names('map'))}; of the cost: {_either(probes.names('cost'))}."


def probe(
    name: Annotated[str, Parameter(help=_NAMES)],
    runs: o.Runs,
    *,
    epochs: o.Epochs = None,
    epoch: o.Epoch = None,
    set: o.Changes = None,
    workers: o.Workers = 1,
    compile: o.Compile = False,
    model: o.Model = None,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Ask at every recorded epoch of a run what the map does; measures only what is missing."""
    from rnnscope.findings.sentences import telling
    from rnnscope.runs import Run

    if epoch is not None and epochs is not None:
        raise ValueError("--epoch, --epochs: expected one of them, came both")
    which = parse_epochs(epochs) if epoch is None else [epoch]
    given = make_model(model)
    opened = [Run(path, model=given) for path in runs]
    how = {"compile": True} if compile else {}
    if compile and name not in (compiled := _compiled()):
        raise ValueError(f"--compile: expected one of the probes {', '.join(compiled)}, came {name}")
    chosen = [run.default_probe(name, **parse_settings(set), **how) for run in opened]
    chosen_settings = "".join(f", {key}={value!r}" for key, value in parse_settings(set).items())
    told = []
    with named_warnings():
        for run, own in zip(opened, chosen, strict=True):
            dataset = probe_with_progress(run, own, which, workers)
            if json:
                phases = phases_data(run, name, dataset)
                what = {"phases": phases} if phases else {"found": values_of(dataset)}
                told.append({"run": str(run.path), "probe": name, "settings": own.settings(), **what})
                continue
            for line in telling(name).sentences(dataset):
                out.print(line)
            table = found_table(run, name, dataset)
            if table is not None:
                out.print(table)
            out.print(
                f"kept in {run.path}; for Python: rnnscope.Run({str(run.path)!r}).dataset({name!r}{chosen_settings})"
            )
    if json:
        print_json(told[0] if len(told) == 1 else told)


def _compiled() -> list[str]:
    """The probes that have a choice to compile: they evaluate costs at many points."""
    return [name for name in probes.names() if "compile" in (field.name for field in fields(probes.load(name)))]


def values_of(dataset: "xarray.Dataset") -> dict[str, Any]:
    """Every variable and coordinate of a result as plain data: its dimensions and its values."""
    return {
        str(name): {"dims": list(variable.dims), "values": variable.values}
        for name, variable in dataset.variables.items()
    }


def probe_with_progress(run: "Run", probe: Any, epochs: Any, workers: int) -> "xarray.Dataset":
    """Measure with a progress bar."""
    from rnnscope.execution import processes

    with processes(workers) as executor, progress_bar(f"probing {probe.name}", "epochs") as report:
        return run.probe(probe, epochs=epochs, executor=executor, progress=report)
