"""rnnscope probe NAME RUN..."""

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

if TYPE_CHECKING:
    import xarray

    from rnnscope.runs import Run


_NAMES = (
    "Probe of the map: orbits, attractors, lyapunov or fixedpoints; of the cost: smoothness, growth, landscape or "
    "roughness."
)
_COMPILED = ("landscape", "roughness")  # they evaluate costs at many points


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
    if compile and name not in _COMPILED:
        raise ValueError(f"--compile: expected one of the probes {', '.join(_COMPILED)}, came {name}")
    chosen = [run.default_probe(name, **parse_settings(set), **how) for run in opened]
    chosen_settings = "".join(f", {key}={value!r}" for key, value in parse_settings(set).items())
    told = []
    with named_warnings():
        for run, own in zip(opened, chosen, strict=True):
            dataset = probe_with_progress(run, own, which, workers)
            if json:
                told.append({"run": str(run.path), "probe": name, "settings": own.settings()})
                if telling(name).table is None:
                    told[-1]["found"] = values_of(dataset)
                else:
                    told[-1]["phases"] = phases_data(run, name, dataset)
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
