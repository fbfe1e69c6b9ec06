"""What a network is trained on: data, cost, head and the constant inputs worth probing. One public file is one task.

A task's file holds a frozen dataclass ``Task`` and ``PRESETS``, the settings that go with it, by preset name.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rnnscope.base import catalogue
from rnnscope.base.errors import unknown

if TYPE_CHECKING:
    from rnnscope.tasks._drawn import DrawnTask as DrawnTask
    from rnnscope.tasks._task import Batches as Batches
    from rnnscope.tasks._task import ConstantInputs as ConstantInputs
    from rnnscope.tasks._task import Task as Task

_HOMES = {"Batches": "_task", "ConstantInputs": "_task", "DrawnTask": "_drawn", "Task": "_task"}


def names() -> list[str]:
    """The tasks there are.

    >>> names()
    ['adding', 'copy-memory', 'flipflop', 'sine', 'symbols']
    """
    return catalogue.names(__name__)


def build(name: str, **settings: Any) -> "Task":
    """The task called ``name`` with these settings; what is not given has the value of the preset ``paper``.

    >>> build("sine", length=100).length
    100

    Raises:
        ValueError: unknown task or setting (names the nearest and all valid ones), or a value out of range.

    """
    from dataclasses import fields

    cls = catalogue.load(__name__, name).Task
    valid = [field.name for field in fields(cls)]
    for key in settings:
        if key not in valid:
            raise unknown(f"setting of task {name}", key, valid)
    return cls(**settings)


def preset(name: str, preset: str) -> dict[str, dict[str, Any]]:
    """The settings of a preset: tables task, model, training, recording and one for each probe that goes with it.

    >>> preset("sine", "paper")["model"]["hidden_size"]
    200

    Raises:
        ValueError: unknown task or preset.

    """
    presets = catalogue.load(__name__, name).PRESETS
    if preset not in presets:
        raise unknown(f"preset of task {name}", preset, presets)
    return {table: dict(values) for table, values in presets[preset].items()}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
