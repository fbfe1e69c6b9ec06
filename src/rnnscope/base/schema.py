"""The schema of a result: the dimensions, the meaning and the unit of each variable, said once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from rnnscope.base.flags import Flags

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Variable:
    """One variable of a result.

    Attributes:
        dims: its dimensions, parted by blanks; none for a single number.
        long_name: what it is, in words.
        units: its unit, "1" for a pure number.
        flags: what its codes mean, if it holds codes.

    """

    dims: str
    long_name: str
    units: str = "1"
    flags: Flags | None = None

    @property
    def attrs(self) -> dict[str, Any]:
        """Its attributes in a Dataset."""
        flags = {} if self.flags is None else self.flags.attrs
        return {"long_name": self.long_name, "units": self.units, **flags}


@dataclass(frozen=True)
class Schema:
    """Every variable and labelled coordinate that results of a probe may have.

    >>> schema = Schema({"cost": Variable("length", "cost")}, {"length": Variable("length", "length N", "step")})
    >>> found = schema.dataset({"cost": [4.0, 2.0]}, length=[10, 20], start=[0, 1])
    >>> float(found.cost.sel(length=20)), found.length.attrs["units"], list(found.coords)
    (2.0, 'step', ['length', 'start'])
    """

    variables: Mapping[str, Variable]
    coords: Mapping[str, Variable] = field(default_factory=dict)

    def dataset(self, values: Mapping[str, Any], /, **coords: Any) -> "xarray.Dataset":
        """The Dataset of these values, with these coordinates.

        Args:
            values: an array or tensor for each variable, in the order in which they are to stand; those of the schema
                that are not named are left out.
            **coords: an array for each coordinate; what the schema does not name are the labels of a dimension.

        Raises:
            KeyError: a variable that the schema does not have.
            ValueError: an array that does not have the dimensions which the schema says.

        """
        import xarray

        variables = {name: _filled(self.variables[name], value) for name, value in values.items()}
        labelled = {
            name: _filled(self.coords[name], value) if name in self.coords else value for name, value in coords.items()
        }
        return xarray.Dataset(variables, labelled)


def _filled(variable: Variable, values: Any) -> tuple[tuple[str, ...], np.ndarray, dict[str, Any]]:
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    return tuple(variable.dims.split()), array, variable.attrs
