"""The objective of a run: data, loss and initial state of its cost, for probes that look at the cost."""

from pathlib import Path
from typing import Any

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
            "objective: expected a loss with a name, came a function, which a run cannot keep as data; give it when "
            "measuring: run.probe(…, objective=…)"
        )
    return objective


def write_objective(run: Path, objective: Objective) -> None:
    """Keep the objective in the run, with at most 64 of its sequences."""
    check_objective(objective)
    tensors = {"inputs": some_of(objective.inputs), "targets": some_of(objective.targets)}
    if objective.state is not None:
        tensors["state"] = some_of(objective.state) if objective.state.dim() == 2 else objective.state
    save_tensors(run / FILE, tensors, {"loss": str(objective.loss), "n_transient": str(objective.n_transient)})


def read_objective(run: Path) -> Objective | None:
    """The objective kept in a run; None if there is none.

    Raises:
        DamagedFileError: the file was cut short or changed.

    """
    if not (run / FILE).exists():
        return None
    tensors, text = load_tensors(run / FILE)
    return Objective(**tensors, loss=text["loss"], n_transient=int(text["n_transient"]))
