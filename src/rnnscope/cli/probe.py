"""rnnscope probe NAME RUN."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from rnnscope.cli import _options as o
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


def probe(
    name: Annotated[str, Parameter(help="Probe: orbits.")],
    run: o.Run,
    *,
    epochs: o.Epochs = None,
    set: o.Changes = None,
    workers: o.Workers = 1,
    model: o.Model = None,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Ask at every recorded epoch of a run what the map does; measures only what is missing."""
    from rnnscope.cli.show import phases_data, phases_table
    from rnnscope.runs import Run

    recorded = Run(run, model=make_model(model))
    chosen = recorded.default_probe(name, **parse_settings(set))
    with named_warnings():
        dataset = probe_with_progress(recorded, chosen, parse_epochs(epochs), workers)
        if json:
            print_json(
                {
                    "run": str(run),
                    "probe": name,
                    "settings": chosen.settings(),
                    "phases": phases_data(recorded, dataset),
                }
            )
            return
        out.print(phases_table(recorded, dataset))
        chosen_settings = "".join(f", {key}={value!r}" for key, value in parse_settings(set).items())
        out.print(f"kept in {run}; for Python: rnnscope.Run({str(run)!r}).dataset({name!r}{chosen_settings})")


def probe_with_progress(run: "Run", probe: Any, epochs: Any, workers: int) -> "xarray.Dataset":
    """Measure with a progress bar."""
    from rnnscope.execution import processes

    with processes(workers) as executor, progress_bar(f"probing {probe.name}", "epochs") as report:
        return run.probe(probe, epochs=epochs, executor=executor, progress=report)
