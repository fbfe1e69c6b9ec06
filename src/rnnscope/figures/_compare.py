"""Several orbit diagrams on equal axes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.base.errors import require
from rnnscope.figures._diagram import common_range, make_diagram
from rnnscope.figures._orbit_layers import Diagram
from rnnscope.findings.reading import by_step, choose_inputs, choose_output, column

if TYPE_CHECKING:
    import pandas
    import xarray


@dataclass(frozen=True, eq=False)
class Comparison:
    """Diagrams by name, all with the same inputs and value axis; ``epoch_limits`` hold the epochs of all."""

    diagrams: dict[str, Diagram]
    epoch_limits: tuple[float, float]
    equal_axes: bool = True

    @property
    def first(self) -> Diagram:
        return next(iter(self.diagrams.values()))

    @property
    def losses(self) -> list[np.ndarray]:
        return [diagram.loss[1] for diagram in self.diagrams.values() if diagram.loss is not None]

    @property
    def together(self) -> Diagram:
        """One diagram with the panels of all: what a legend has to explain."""
        panels = [panel for diagram in self.diagrams.values() for panel in diagram.panels]
        return replace(self.first, panels=panels)

    @property
    def have_gaps(self) -> bool:
        return any(diagram.columns.have_gaps for diagram in self.diagrams.values())


def make_comparison(
    orbits: "Mapping[str, xarray.Dataset]",
    scalars: "Mapping[str, pandas.DataFrame]",
    *,
    inputs: int | Sequence[int] | None,
    output: int | str,
    value_range: tuple[float, float] | None,
    equal_axes: bool,
    everything: bool,
    max_points: int,
) -> Comparison:
    require(orbits, "orbits", "results of at least one run", orbits)
    strangers = sorted({*scalars} - {*orbits})
    require(not strangers, "scalars", f"those of {', '.join(orbits)}", strangers)
    results = {name: by_step(data) for name, data in orbits.items()}
    first_name, first = next(iter(results.items()))
    for name, data in results.items():
        same = np.array_equal(column(data, "input_value"), column(first, "input_value"), equal_nan=True)
        require(
            same and data.sizes["input"] == first.sizes["input"],
            "orbits",
            f"the same constant inputs in all, those of {first_name}",
            f"others in {name}: measure one probe in all runs",
        )
    if value_range is None and equal_axes:
        chosen = choose_inputs(first, inputs, everything=everything)
        shown = [data.isel(input=chosen, output=[choose_output(data, output)]) for data in results.values()]
        value_range = common_range(shown)
    diagrams = {
        name: make_diagram(
            data,
            scalars=scalars.get(name),
            summary=None,
            inputs=inputs,
            output=output,
            value_range=value_range,
            everything=everything,
            max_points=max_points // len(results),
        )
        for name, data in results.items()
    }
    limits = np.array([diagram.epoch_limits for diagram in diagrams.values()])
    return Comparison(diagrams, (float(limits[:, 0].min()), float(limits[:, 1].max())), equal_axes)
