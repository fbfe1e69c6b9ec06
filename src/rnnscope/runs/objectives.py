"""The objective of a run: data, loss and initial state of its cost, for probes that look at the cost."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from rnnscope.base.errors import DamagedFileError
from rnnscope.runs.advice import command
from rnnscope.runs.sequences import some_of
from rnnscope.runs.tensors import load_tensors, save_tensors
from rnnscope.smoothness import Objective

FILE = "objective.safetensors"


def objective_of_task(task: Any) -> Objective:
    """The cost of a task on its data, of at most 64 sequences, evenly chosen."""
    inputs, targets = task.data()
    return Objective(inputs=some_of(inputs), targets=some_of(targets), loss=task.loss)


def check_objective(objective: Any) -> Objective:
    """The objective, if it can be kept in a run.

    Raises:
        TypeError: not an Objective.
        ValueError: its loss is a function, which cannot be kept as data.

    """
    if not isinstance(objective, Objective):
        raise TypeError(f"objective: expected an Objective, came {type(objective).__name__}")
    if not isinstance(objective.loss, str):
        raise ValueError(
            "objective: expected a loss with a name, 'squared-error' or 'cross-entropy', came a function, which a run "
            "cannot keep as data. Give it when measuring: run.probe('smoothness', objective=Objective(inputs, targets, "
            "loss=…))"
        )
    return objective


def kept_of(objective: Objective) -> Objective:
    """The objective as a run keeps it: with at most 64 of its sequences, evenly chosen."""
    state = objective.state
    if state is not None and state.dim() == 2:
        state = some_of(state)
    return replace(objective, inputs=some_of(objective.inputs), targets=some_of(objective.targets), state=state)


def write_objective(run: Path, objective: Objective) -> None:
    """Keep the objective in the run, with at most 64 of its sequences."""
    kept = kept_of(check_objective(objective))
    tensors = {"inputs": kept.inputs, "targets": kept.targets}
    if kept.state is not None:
        tensors["state"] = kept.state
    save_tensors(run / FILE, tensors, {"loss": str(objective.loss), "n_transient": str(objective.n_transient)})


def read_objective(run: Path) -> Objective | None:
    """The objective kept in a run; None if there is none.

    Raises:
        DamagedFileError: the file was cut short or changed.

    """
    if not (run / FILE).exists():
        return None
    try:
        tensors, text = load_tensors(run / FILE)
    except DamagedFileError as error:
        again = command("data", run, "--inputs", "u.npy", "--targets", "y.npy", "--overwrite")
        raise DamagedFileError(f"{error}; put a copy back, or give another: {again}") from None
    return Objective(**tensors, loss=text["loss"], n_transient=int(text["n_transient"]))
