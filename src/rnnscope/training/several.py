"""Several trainings, such as one over seeds, each in a process of its own: one that dies takes no other down."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rnnscope.base.errors import RnnscopeError, RunError, TrainingDivergedError, require
from rnnscope.base.settings import require_whole
from rnnscope.base.threads import torch_threads
from rnnscope.execution import run_apart
from rnnscope.runs.scalars import last_epoch
from rnnscope.training.config import Config
from rnnscope.training.loop import Epoch, OnEpoch, choose_device, fit, matching_run

Begun = Literal["new", "resumed", "reused"]


@dataclass(frozen=True)
class Outcome:
    """What came of one of several trainings.

    Attributes:
        path: its run folder.
        model, seed: of its settings.
        begun: "new", "resumed" (it was interrupted before) or "reused" (it had ended before, and was not trained).
        status: "finished", "diverged" (the loss is no finite number) or "failed" (anything else).
        reason: why it is not finished.
        notes: warnings that it gave.

    """

    path: Path
    model: str
    seed: int
    begun: Begun
    status: Literal["finished", "diverged", "failed"]
    reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Standing:
    """How far all are: the epochs done and to do of those that were left to train, and the trainings that ended."""

    epochs: int
    n_epochs: int
    ended: int


def fit_seeds(config: Config, seeds: Iterable[int], folder: str | Path, **options: Any) -> list[Outcome]:
    """Train the same network from several seeds, in the run folders seed-0, seed-1, … of ``folder``.

    >>> import tempfile
    >>> config = Config.assemble("sine", changes=["n_epochs=2", "hidden_size=4", "task.length=10"])
    >>> [outcome.status for outcome in fit_seeds(config, range(2), tempfile.mkdtemp())]
    ['finished', 'finished']

    Args:
        config: all settings; its own seed does not count.
        seeds: different whole numbers of at least 0.
        folder: where the run folders are, or are made.
        **options: ``n_workers``, ``on_end``, ``on_progress``, ``overwrite`` and ``provenance`` of ``fit_several``.

    Raises:
        ValueError: no seed, one twice, or one that is no whole number of at least 0.
        RunError: something else is in the way; nothing was begun.

    """
    seeds = list(seeds)
    require(seeds and len(set(seeds)) == len(seeds), "seeds", "at least one, each once", seeds)
    require(all(type(seed) is int and seed >= 0 for seed in seeds), "seeds", "whole numbers of at least 0", seeds)
    return fit_several({Path(folder) / f"seed-{seed}": replace(config, seed=seed) for seed in seeds}, **options)


def fit_several(
    trainings: Mapping[Path, Config],
    *,
    n_workers: int = 1,
    on_end: Callable[[Outcome], None] | None = None,
    on_progress: Callable[[Standing], None] | None = None,
    provenance: dict[str, Any] | None = None,
    overwrite: bool = False,
) -> list[Outcome]:
    """Train several networks, each on one torch thread unless its settings say otherwise.

    A finished run of the same settings is used as it is, an interrupted one goes on from where it was. One that fails
    or whose process is killed is reported as failed, and the others go on; it is not tried again, for lack of memory
    would kill it again: the same call goes on with it. Interrupted by Ctrl-C, all stop and can be gone on with.

    Args:
        trainings: the settings of each run folder.
        n_workers: processes; 1 trains one after the other in this process.
        on_end: called as each has ended.
        on_progress: called now and then.
        provenance: entries to add to each provenance.json.
        overwrite: train in the place of runs of other settings: they are removed.

    Returns:
        The outcomes, in the order of ``trainings``.

    Raises:
        ValueError: a device that is not there.
        RunError: something that is not a run of these settings is in the way; nothing was begun.

    """
    require_whole("workers", n_workers)
    for config in trainings.values():
        choose_device(config.device)
    several = _Several(trainings, on_end, on_progress, overwrite=overwrite)
    left = several.left()
    units = [(trainings[path], path, several.begun[path] == "resumed", overwrite, provenance) for path in left]
    several.tell()
    if n_workers == 1 or not units:
        for path, unit in zip(left, units, strict=True):
            several.end(path, *_train(*unit, several.follow(path)))
    else:
        run_apart(
            _train,
            units,
            min(n_workers, len(units)),
            ended=lambda position, result: several.end(left[position], *_ending(result)),
            meanwhile=several.look,
        )
    return [several.outcomes[path] for path in trainings]


class _Several:
    """What is known of all trainings: how each begins, the epochs it has done, its outcome when it has ended."""

    def __init__(
        self,
        trainings: Mapping[Path, Config],
        on_end: Callable[[Outcome], None] | None,
        on_progress: Callable[[Standing], None] | None,
        *,
        overwrite: bool,
    ):
        self.trainings, self.on_end, self.on_progress = trainings, on_end, on_progress
        self.to_do = {path: config.training["n_epochs"] for path, config in trainings.items()}
        self.before, self.done = dict.fromkeys(trainings, 0), dict.fromkeys(trainings, 0)
        self.outcomes: dict[Path, Outcome] = {}
        self.begun: dict[Path, Begun] = {}
        self.there = {path: matching_run(path, config, overwrite=overwrite) for path, config in trainings.items()}
        for path, run in self.there.items():
            if run is not None and run.status == "running":
                raise RunError(f"{path}: another process is still recording in it; wait for it or stop it")

    def left(self) -> list[Path]:
        """Those to train; those that have ended already are reported."""
        for path, run in self.there.items():
            self.begun[path] = "new" if run is None else "resumed"
            if run is not None:
                self.before[path] = last_epoch(path / "scalars.jsonl")
                self.to_do[path] = max(self.to_do[path] - self.before[path], 0)
            if run is not None and run.status in ("finished", "diverged"):
                self.begun[path], self.to_do[path] = "reused", 0
                self.end(path, run.status, str(run.ended.get("reason", "")), ())
        return [path for path in self.trainings if path not in self.outcomes]

    def end(self, path: Path, status: Any, reason: str, notes: tuple[str, ...]) -> None:
        config = self.trainings[path]
        outcome = Outcome(path, config.model["name"], config.seed, self.begun[path], status, reason, notes)
        self.outcomes[path], self.done[path] = outcome, self.to_do[path]
        if self.on_end is not None:
            self.on_end(outcome)
        self.tell()

    def follow(self, path: Path) -> OnEpoch:
        """What to call after each epoch of a training in this process."""

        def on_epoch(epoch: Epoch) -> None:
            self._count(path, epoch.epoch)
            self.tell()

        return on_epoch

    def look(self) -> None:
        """Ask the run folders how far they are: a queue between processes can hang once one of them is killed."""
        for path in self.trainings:
            if path not in self.outcomes:
                self._count(path, last_epoch(path / "scalars.jsonl"))
        self.tell()

    def _count(self, path: Path, epoch: int) -> None:
        self.done[path] = min(max(epoch - self.before[path], 0), self.to_do[path])

    def tell(self) -> None:
        if self.on_progress is not None:
            self.on_progress(Standing(sum(self.done.values()), sum(self.to_do.values()), len(self.outcomes)))


Ending = tuple[str, str, tuple[str, ...]]  # status, reason, notes


def _train(
    config: Config,
    path: Path,
    resume: bool,
    overwrite: bool,
    provenance: dict[str, Any] | None,
    on_epoch: OnEpoch | None = None,
) -> Ending:
    """A work unit; a training that is resumed overwrites nothing."""
    with warnings.catch_warnings(record=True) as caught, torch_threads(1):
        warnings.simplefilter("always", UserWarning)
        try:
            overwrite = overwrite and not resume
            fit(config, path, resume=resume, overwrite=overwrite, on_epoch=on_epoch, provenance=provenance)
            status, reason = "finished", ""
        except TrainingDivergedError as error:
            status, reason = "diverged", str(error)
        except Exception as error:
            status, reason, _ = _ending(error)
    return status, reason, tuple(str(warning.message) for warning in caught)


def _ending(result: Any) -> Ending:
    """The ending of a unit that gave this result, or this exception."""
    if not isinstance(result, BaseException):
        return result
    if isinstance(result, KeyboardInterrupt):
        return "failed", "interrupted", ()
    expected = isinstance(result, RnnscopeError | ValueError | OSError)
    return "failed", str(result) if expected else f"{type(result).__name__}: {result}", ()
