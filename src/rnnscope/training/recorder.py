"""The Recorder: three lines in anyone's training loop."""

import operator
import os
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from rnnscope.base.errors import require
from rnnscope.runs.folder import (
    SNAPSHOTS_AT,
    RunFolder,
    refuse_existing,
    refuse_to_replace,
    replace_run,
)
from rnnscope.runs.given import check_given
from rnnscope.runs.objectives import write_objective
from rnnscope.runs.run import Run
from rnnscope.runs.schedule import snapshot_due, snapshot_interval
from rnnscope.runs.sequences import write_sequences
from rnnscope.smoothness import Objective
from rnnscope.systems import described, unwrapped

_RESERVED = ("step", "epoch", "crc")


class Recorder:
    """Writes weights and scalars of a training into a run folder, and disturbs nothing.

    Weights, gradients, random state, train or eval mode and hidden state of the network are as they were: training with
    and without it gives the same bits. The initial weights are written at once as step 0.

    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp()) / "mine"
    >>> recorder = Recorder(folder, nn.LSTM(1, 4))
    >>> for epoch in range(3):
    ...     recorder.epoch(epoch, loss=0.5)
    >>> from rnnscope.runs import Run
    >>> Run(folder).epochs.tolist()
    [-1, 0, 1, 2]

    Args:
        path: a new folder for the run.
        model: any nn.Module with a recurrent core, or a pair (core, head).
        sequences: some input sequences of your task (sequence, time, channel), of which up to 64 are kept: probes then
            begin at states that the network visits on them. With time in front they go as ``sequences.movedim(0, 1)``.
            None: the inputs of the objective, if one is given.
        objective: the cost of your task, an ``Objective``, with up to 64 of its sequences kept: for probes of the cost.
        optimizer: if given, ``step`` counts its steps; otherwise the calls of ``epoch``.
        every: weights are kept at every so many calls; None: at every call below a million parameters, else at calls 1
            … 8, 10, 12, 14, 16, 20, … (four to a factor of two) and the last one, when the recorder is closed.
        resume: go on recording in the run at ``path``: calls and steps are counted on from its last recorded epoch. If
            the first epoch recorded is not beyond that, what was recorded from it on is removed, results too.
        overwrite: put the new run in the place of a run at ``path``, as when a notebook's cell is run again. The old
            one is removed, with its results, once the new one can be written; anything but a run is never touched, and
            files that rnnscope did not write stay.
        config: settings to keep in config.toml.
        provenance: entries to add to provenance.json.

    Raises:
        RunError: there is something at ``path`` already, or with ``resume`` other data than those given; nothing there
            is touched.
        ValueError: sequences or an objective that do not fit the network.
        TypeError: a model that is none.

    """

    def __init__(
        self,
        path: str | Path,
        model: nn.Module | tuple[nn.Module, nn.Module],
        *,
        sequences: Any = None,
        objective: Objective | None = None,
        optimizer: torch.optim.Optimizer | None = None,
        every: int | None = None,
        resume: bool = False,
        overwrite: bool = False,
        config: Mapping[str, Any] | None = None,
        provenance: Mapping[str, Any] | None = None,
    ):
        began = time.perf_counter()
        require(
            every is None or (type(every) is int and every > 0),
            "every",
            "a positive whole number or None",
            every,
        )
        pair = isinstance(model, tuple) and len(model) == 2 and all(isinstance(part, nn.Module) for part in model)
        if not pair and not isinstance(model, nn.Module):
            raise TypeError(f"model: expected an nn.Module or a pair (core, head) of them, came {model!r}")
        self.path = Path(path)
        if overwrite:
            require(not resume, "resume, overwrite", "one of them", "both")
            refuse_to_replace(self.path)
        elif not resume:
            refuse_existing(self.path, can_go_on=True)
        self.model = (
            nn.ModuleDict({"core": model[0], "head": model[1]}) if isinstance(model, tuple) else unwrapped(model)
        )
        n_parameters = sum(p.numel() for p in self.model.parameters())
        self.bytes_per_snapshot = sum(t.numel() * t.element_size() for t in self._tensors().values())
        self.every = snapshot_interval(every, n_parameters)
        self._optimizer_steps = 0
        self._hook = optimizer.register_step_post_hook(self._count) if optimizer is not None else None
        self._calls = self._last_step = 0
        self._last: tuple[int, int] | None = None
        self._last_written: tuple[int, int] | None = None
        self._resumed = False
        self._folder: RunFolder | None
        if resume:
            if sequences is not None or objective is not None:
                Run(self.path).give(sequences=sequences, objective=objective)
            self._folder = RunFolder.reopen(Run(self.path).path, **self._kept)
            recorded = Run(self.path).scalars
            self._count_on_from(max(recorded["step"].tolist(), default=0), len(recorded))
            self._resumed = True
        else:
            description, system = described(model)
            if system is None:
                warnings.warn(
                    f"recorded, but it cannot be probed as it is: {description['reason']}\nLater, "
                    f"Run({str(path)!r}, model=as_system(Step(model), …)) will do.",
                    stacklevel=2,
                )
            check_given(sequences, objective, system)

            def begin(folder: Path) -> RunFolder:
                begun = RunFolder.create(folder, config or {}, description, {**(provenance or {}), **self._kept})
                if sequences is not None:
                    write_sequences(folder, sequences, None)
                if objective is not None:
                    write_objective(folder, objective)
                begun.write_snapshot(0, self._tensors(), None)
                return begun

            if overwrite and self.path.exists():
                self._replace(begin)
            else:
                self._folder = begin(self.path)
        self.seconds = time.perf_counter() - began

    def _replace(self, begin: Callable[[Path], RunFolder]) -> None:
        """Begin beside the run that is there, and only then take its place."""
        own = self.path.resolve()
        part = own.with_name(f".{own.name}.{os.getpid()}.part")
        try:
            begin(part)
            replace_run(part, own)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self._folder = RunFolder(self.path)

    def epoch(self, epoch: int, **scalars: float | Tensor) -> None:
        """Record an epoch that has just ended: its scalars and, when it is due, the weights.

        Args:
            epoch: its number, counted as you like, growing.
            scalars: numbers by name, such as ``loss=0.1``; tensors of one element will do.

        Raises:
            ValueError: a scalar that is not one number, or an epoch that is not larger than the last.
            OSError: the disk is full; what was recorded before is whole.

        """
        began = time.perf_counter()
        if self._folder is None:
            raise RuntimeError(f"the recorder of {self.path} is closed")
        numbers = {name: _number(name, value) for name, value in scalars.items()}
        try:
            epoch = operator.index(epoch)
        except TypeError:
            raise ValueError(f"epoch: expected a whole number, came {epoch!r}") from None
        if self._resumed:
            self._go_back_to(epoch)
        elif self._last is not None:
            last = self._last[1]
            require(epoch > last, "epoch", f"a number larger than the last one, {last}", epoch)
        step = self._optimizer_steps if self._hook is not None else self._calls + 1
        require(
            step > self._last_step,
            "optimizer",
            f"one that has taken a step since step {self._last_step}",
            f"{step} steps: was another optimizer made after the Recorder?",
        )
        self._calls += 1
        self._last_step = step
        self._last = (step, epoch)
        if self._due():
            self._snapshot()
        self._folder.write_scalars({"step": step, "epoch": epoch, **numbers})
        self.seconds += time.perf_counter() - began

    def _count_on_from(self, step: int, calls: int) -> None:
        """So many optimiser steps were taken, and so many calls of ``epoch`` made."""
        self._optimizer_steps, self._calls, self._last = step, calls, None
        self._last_step, self._resumed = step, False

    def rewind(self, step: int, calls: int) -> None:
        """After resuming: remove what was recorded after this optimiser step, and count on from it."""
        assert self._folder is not None
        self._folder.forget_after(step)
        self._count_on_from(step, calls)

    @property
    def _kept(self) -> dict[str, Any]:
        """At which calls weights are kept, for whoever looks whether all of them are there."""
        return {SNAPSHOTS_AT: "log-spaced" if self.every is None else self.every}

    @property
    def counted(self) -> tuple[int, int]:
        """Optimiser steps (or calls) and calls of ``epoch`` so far."""
        return self._last[0] if self._last else 0, self._calls

    def _due(self) -> bool:
        return snapshot_due(self._calls, self.every)

    def _snapshot(self) -> None:
        assert self._last is not None
        assert self._folder is not None
        self._folder.write_snapshot(self._last[0], self._tensors(), self._last[1])
        self._last_written = self._last

    def close(self, status: str = "recorded", **details: Any) -> None:
        """Write the last weights if they are not there yet, and say how recording ended. Closing twice does nothing."""
        self._close(status, weights_are_those_of_last_epoch=True, **details)

    def _close(self, status: str, *, weights_are_those_of_last_epoch: bool, **details: Any) -> None:
        if self._folder is None:
            return
        unmoved = self._optimizer_steps == self._last_step if self._hook else weights_are_those_of_last_epoch
        if unmoved and self._last is not None and self._last != self._last_written:
            self._snapshot()
        self._folder.end(status, **details)
        if self._hook is not None:
            self._hook.remove()
        self._folder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None:
            self.close()
        else:
            reason = f"{kind.__name__}: {error}".removesuffix(": ")
            self._close("interrupted", weights_are_those_of_last_epoch=False, reason=reason)

    def _go_back_to(self, epoch: int) -> None:
        """After resuming: remove what was recorded from this epoch on, and count on from the epoch before it."""
        assert self._folder is not None
        recorded = Run(self.path).scalars
        before = recorded[recorded.index < epoch]
        if len(before) < len(recorded):
            step = max(before["step"].tolist(), default=0)
            moved_since = self._optimizer_steps - self._last_step
            self.rewind(step, len(before))
            self._optimizer_steps += moved_since
        self._resumed = False

    def _count(self, *_: Any) -> None:
        self._optimizer_steps += 1

    def _tensors(self) -> dict[str, Tensor]:
        """All parameters and buffers, tied ones under each of their names."""
        return {
            **dict(self.model.named_parameters(remove_duplicate=False)),
            **dict(self.model.named_buffers(remove_duplicate=False)),
        }


def _number(name: str, value: float | Tensor) -> float:
    require(name not in _RESERVED, "scalars", f"other names than {', '.join(_RESERVED)}", name)
    if isinstance(value, Tensor):
        require(value.numel() == 1, name, "one number", f"a tensor of shape {tuple(value.shape)}")
        return float(value.detach())
    try:
        return value if isinstance(value, int) else float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected a number, came {value!r}") from None
