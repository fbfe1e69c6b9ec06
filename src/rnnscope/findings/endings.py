"""What a network does in the end: the one rule by which figures, pages and tables say so."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.findings.kinds import KINDS, kind_codes, rank_kinds
from rnnscope.findings.reading import by_step

if TYPE_CHECKING:
    import xarray

WINDOW = 20


@dataclass(frozen=True, eq=False)
class Ending:
    """What each input does over the last ``n_epochs`` epochs looked at.

    ``kinds`` (input): position in ``KINDS`` of what it does most often; of two as frequent, oscillates before rests
    before diverges. ``throughout`` (input): whether it does so at every one of the epochs. ``frequency``, ``lowest``
    and ``highest`` (input), rad/step: median, least and greatest over the epochs at which the input oscillates and over
    the starts that do so there; NaN unless these are at least half of the epochs.
    """

    n_epochs: int
    kinds: np.ndarray
    throughout: np.ndarray
    frequency: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray


def ending(summary: "xarray.Dataset", n_epochs: int = WINDOW) -> Ending:
    """What each input of a result of ``summarise_orbits`` does in the end."""
    last = by_step(summary).isel(step=slice(-n_epochs, None))
    codes = kind_codes(last)
    kinds = rank_kinds(np.stack([(codes == code).sum(0) for code in range(len(KINDS))], axis=-1))[:, 0]
    oscillates = codes == KINDS.index("oscillates")
    stated = oscillates & (oscillates.mean(0) >= 0.5)
    found = last["frequency"].transpose("step", "input", "start").values.astype(float)
    counted = stated[..., None] & np.isfinite(found)
    per_input = [found[:, at][counted[:, at]] for at in range(len(kinds))]
    frequency, lowest, highest = (
        np.array([function(values) if values.size else np.nan for values in per_input])
        for function in (np.median, np.min, np.max)
    )
    return Ending(len(codes), kinds, (codes == kinds).all(0), frequency, lowest, highest)
