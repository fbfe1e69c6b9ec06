"""Newton's method with the Jacobian of a zero that is already known: how searches of wide states end cheaply."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from rnnscope.attractors.numerics.iterated_map import IteratedMap

_MOST_NUMBERS = 2**25  # of inverses that are kept
_MOST_CONDITION = 1e8  # of a Jacobian whose inverse is worth keeping
_SAME = 1e-6  # distance, relative to max(1, ‖x‖), at which a zero is not new
_MOST_STEPS = 60
_SHRINKS = (
    0.25  # each step must be shorter than this times the last: starts near a zero not yet found must not be led away
)
_POLISH = 2  # further steps, as far as they lower the residual
_ROUNDING = 16  # a zero is allowed so many units of rounding of F^k


def zero_below(x: Tensor, size: Tensor, tolerance: float) -> Tensor:
    """The residual ‖F^k(x) - x‖ below which x is a zero: ``tolerance``, or what rounding leaves, of max(1, ‖x‖).

    ``size`` is ‖J‖ by row.
    """
    rounding = _ROUNDING * torch.finfo(x.dtype).eps * (2 + size)
    return rounding.clamp(min=tolerance) * x.norm(dim=-1).clamp(min=1)


class Chords:
    """Zeros that were found, with the inverse of J = DF^k - 1 at each.

        x ← x - J(z)⁻¹ (F^k(x) - x),   z the known zero nearest to where the search has come

    A search ends by such steps only if each is at most half as long as the one before, until the residual is one of
    rounding: they contract, and come to a zero. Near another zero, where J is another, they do not, and the search goes
    on with Jacobians of its own. A step costs n², one of those n³.
    """

    def __init__(self, tolerance: float):
        self.tolerance = tolerance
        self.zeros: Tensor | None = None  # (zero, state)
        self.inverses: list[Tensor] = []
        self.sizes: list[Tensor] = []

    def __len__(self) -> int:
        return len(self.inverses)

    def learn(self, map_: "IteratedMap", zeros: Tensor) -> None:
        """Keep those zeros (row, state) that are new and isolated, as many as there is room for."""
        for at, zero in enumerate(zeros):
            if (len(self) + 1) * len(zero) ** 2 > _MOST_NUMBERS and len(self):
                return
            if self.zeros is not None and (self.zeros - zero).norm(dim=-1).amin() <= _SAME * zero.norm().clamp(min=1):
                continue
            jacobian = map_.rows(slice(at, at + 1)).derivative(zero[None])[0].clone()
            jacobian.diagonal().sub_(1)
            inverse, singular = torch.linalg.inv_ex(jacobian)
            size = jacobian.norm()
            if singular == 0 and size * inverse.norm() <= _MOST_CONDITION:
                self.zeros = zero[None] if self.zeros is None else torch.cat([self.zeros, zero[None]])
                self.inverses.append(inverse)
                self.sizes.append(size)

    def finish(self, map_: "IteratedMap", x: Tensor, *, since: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """The rows of x (row, state) that end in a zero by chord steps, the zeros, and their residuals.

        Rows whose nearest zero is among the first ``since`` are not tried.
        """
        nothing = torch.zeros(0, dtype=torch.int64, device=x.device), x[:0], x[:0, 0]
        if self.zeros is None or len(self) <= since:
            return nothing
        nearest = torch.cdist(x, self.zeros).argmin(1)
        rows = ((nearest >= since) & torch.isfinite(x).all(-1)).nonzero()[:, 0]
        ended = [nothing]
        here, last = x[rows], x.new_full((len(rows),), torch.inf)
        for _ in range(_MOST_STEPS):
            if not len(rows):
                break
            r = map_.rows(rows)(here) - here
            length, size = r.norm(dim=-1), torch.stack(self.sizes)[nearest[rows]]
            zero = length <= zero_below(here, size, self.tolerance)
            if zero.any():
                ended.append(
                    (rows[zero], *self._polished(map_.rows(rows[zero]), here[zero], r[zero], nearest[rows[zero]]))
                )
            shift = self._solved(r, nearest[rows])
            step = shift.norm(dim=-1)
            on = ~zero & (step <= _SHRINKS * last) & torch.isfinite(step)
            rows, here, last = rows[on], here[on] - shift[on], step[on]
        found, location, residual = (torch.cat(part) for part in zip(*ended, strict=True))
        return found, location, residual

    def _polished(self, map_: "IteratedMap", x: Tensor, r: Tensor, nearest: Tensor) -> tuple[Tensor, Tensor]:
        length = r.norm(dim=-1)
        for _ in range(_POLISH):
            trial = x - self._solved(r, nearest)
            left = map_(trial) - trial
            better = left.norm(dim=-1) < length
            x, r = torch.where(better[:, None], trial, x), torch.where(better[:, None], left, r)
            length = r.norm(dim=-1)
        return x, length

    def _solved(self, r: Tensor, nearest: Tensor) -> Tensor:
        """J(z)⁻¹ r of each row."""
        solved = torch.empty_like(r)
        for which in nearest.unique().tolist():
            own = nearest == which
            solved[own] = r[own] @ self.inverses[which].mT
        return solved
