"""The settings of a training: a preset, changed by a file, changed by single settings, checked before any work."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from rnnscope import models, tasks
from rnnscope.attractors import Orbits
from rnnscope.base.errors import RunError, require, require_numbers, unknown
from rnnscope.base.settings import is_number, is_whole, require_whole, whole

SCHEDULES = ("constant", "steps", "one-cycle")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a network is trained.

    Attributes:
        n_epochs: passes over the data.
        learning_rate: Adam's; with the schedule "one-cycle" its peak.
        max_gradient_norm: the gradient is scaled down to this norm where it is larger; None: never.
        schedule: "constant"; "steps" (times ``decay`` at each of ``milestones``, in epochs); "one-cycle" (up to the
            peak over the first tenth, then down to nearly nothing).
        n_threads: torch threads; None: as many as there are cores. Results repeat bit for bit at the same number only.

    """

    n_epochs: int
    learning_rate: float = 1e-3
    max_gradient_norm: float | None = None
    schedule: str = "constant"
    milestones: tuple[int, ...] = ()
    decay: float = 0.1
    n_threads: int | None = None

    def __post_init__(self) -> None:
        require_numbers(self)
        require(isinstance(self.milestones, list | tuple), "milestones", "a list of epochs", self.milestones)
        object.__setattr__(self, "milestones", tuple(self.milestones))
        whole(self, n_epochs=1)
        require(_positive(self.learning_rate), "learning_rate", "a positive number", self.learning_rate)
        norm = self.max_gradient_norm
        require(norm is None or _positive(norm), "max_gradient_norm", "a positive number, or none", norm)
        if self.schedule not in SCHEDULES:
            raise unknown("schedule", self.schedule, SCHEDULES)
        fit = all(is_whole(epoch, 1) for epoch in self.milestones)
        require(fit, "milestones", "positive epochs", self.milestones)
        require(0 < self.decay <= 1, "decay", "a factor in (0, 1]", self.decay)
        n = self.n_threads
        require(n is None or is_whole(n, 1), "n_threads", "a positive whole number, or none", n)


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of a training as plain tables: what config.toml holds."""

    task: dict[str, Any]
    model: dict[str, Any]
    training: dict[str, Any]
    recording: dict[str, Any]
    orbits: dict[str, Any]
    preset: str
    seed: int = 0
    device: str = "cpu"

    @classmethod
    def assemble(
        cls,
        task: str | None = None,
        *,
        model: str | None = None,
        preset: str | None = None,
        file: Path | None = None,
        changes: Iterable[str] = (),
        seed: int | None = None,
        device: str | None = None,
    ) -> Self:
        """The settings of a preset, changed by a TOML file and by ``changes`` such as "n_epochs=100" or
        "task.length=50".

        What is not given here comes from the file, and else is "lstm", the preset "quick", seed 0 and the CPU. A run's
        config.toml as the file gives that run's settings again.

        >>> Config.assemble("sine", changes=["n_epochs=7", "model.hidden_size=8"]).training["n_epochs"]
        7

        Raises:
            ValueError: an unknown task, model, preset or setting (names the nearest), or a value out of range.
            RunError: a file that is not valid TOML.

        """
        given = _read_file(file) if file else {}
        task = str(task or given.get("task", {}).get("name", "sine"))
        model = str(model or given.get("model", {}).get("name", "lstm"))
        if task not in tasks.names():
            raise unknown("task", task, tasks.names())
        if model not in models.names():
            raise unknown("model", model, models.names())
        preset = str(preset or given.get("preset", "quick"))
        tables = tasks.preset(task, preset)
        valid = _valid_keys(task, model)
        asked = [parse_change(change) for change in changes]
        for key, value in (*_changes_of(given, task, model), *asked):
            _apply(tables, key, value, valid=valid)
        _refuse_unused(dict(asked), str(tables["training"].get("schedule", "constant")))
        seed = given.get("seed", 0) if seed is None else seed
        assert seed is not None
        require_whole("seed", seed, 0)
        device = str(device or given.get("device", "cpu"))
        tables["task"] = {**tables["task"], "name": task}
        tables["model"] = {**tables["model"], "name": model}
        return cls(**tables, preset=preset, seed=seed, device=device).completed()

    def completed(self) -> Self:
        """The same with every setting of task, model and training written out; raises where one is out of range."""
        task, training = self.build_task(), self.training_settings()
        model = models.settings(self.model["name"], **self._model_settings())
        Orbits.from_settings(self.orbits)
        every = self.recording.get("every")
        if every is not None:
            require_whole("recording.every", every)
        return type(self)(
            task={"name": self.task["name"], **asdict(task)},
            model={"name": self.model["name"], **asdict(model)},
            training=asdict(training),
            recording=dict(self.recording),
            orbits=dict(self.orbits),
            preset=self.preset,
            seed=self.seed,
            device=self.device,
        )

    def tables(self) -> dict[str, Any]:
        """Plain tables for config.toml; "none" stands for None, which TOML cannot hold."""
        tables = asdict(self)
        training = {**self.training, "milestones": list(self.training["milestones"])}
        tables["training"] = {key: "none" if value is None else value for key, value in training.items()}
        return {key: tables[key] for key in ("preset", "seed", "device")} | {
            key: value for key, value in tables.items() if isinstance(value, dict)
        }

    def build_task(self) -> Any:
        """The task."""
        settings = {key: value for key, value in self.task.items() if key != "name"}
        return tasks.build(self.task["name"], **settings)

    def build_model(self) -> Any:
        """The network with weights drawn from the seed."""
        return models.build(self.model["name"], seed=self.seed, **self._model_settings())

    def training_settings(self) -> TrainingSettings:
        """How to train."""
        return TrainingSettings(**self.training)

    def _model_settings(self) -> dict[str, Any]:
        task = self.build_task()
        own = {key: value for key, value in self.model.items() if key != "name"}
        from_task = {name: getattr(task, name) for name in ("input_size", "output_size")}
        if "input_bound" in models.setting_names(self.model["name"]):
            from_task["input_bound"] = task.input_bound()
        return {**from_task, **own, "input_size": task.input_size, "output_size": task.output_size}


def _valid_keys(task: str, model: str) -> dict[str, list[str]]:
    from rnnscope.base import catalogue

    task_class = catalogue.load("rnnscope.tasks", task).Task
    return {
        "task": [field.name for field in fields(task_class)],
        "model": [name for name in models.setting_names(model) if name not in ("input_size", "output_size")],
        "training": [field.name for field in fields(TrainingSettings)],
        "recording": ["every"],
        "orbits": [field.name for field in fields(Orbits)],
    }


def _apply(tables: dict[str, dict[str, Any]], key: str, value: Any, *, valid: Mapping[str, list[str]]) -> None:
    """Set one setting, named "table.setting", or "setting" where only one table has it."""
    if key in ("seed", "device", "preset"):
        raise ValueError(f"--set {key}: give it as --{key}")
    table, _, setting = key.rpartition(".")
    if not table:
        homes = [name for name, settings in valid.items() if setting in settings]
        if not homes:
            raise unknown("setting", setting, {own for settings in valid.values() for own in settings})
        if len(homes) > 1:
            raise ValueError(
                f"setting {setting!r} is in several tables: write {' or '.join(f'{h}.{setting}' for h in homes)}"
            )
        table = homes[0]
    if table not in valid:
        raise unknown("table of settings", table, valid)
    if setting not in valid[table]:
        raise unknown(f"setting of {table}", setting, valid[table])
    if value is None:
        tables.setdefault(table, {}).pop(setting, None)
    else:
        tables.setdefault(table, {})[setting] = value


def _refuse_unused(asked: Mapping[str, Any], schedule: str) -> None:
    """Settings that were asked for and that the schedule does not look at; a preset may have them in store."""
    for key, value in asked.items():
        setting = key.removeprefix("training.")
        if setting in ("milestones", "decay") and value and schedule != "steps":
            raise ValueError(
                f"{setting}: it is for the schedule 'steps' only, and the schedule is {schedule!r}: "
                "add schedule=steps, or leave it out"
            )


def parse_change(text: str) -> tuple[str, Any]:
    """A setting and its value from "key=value", the value as TOML (bare words are text, none is None).

    >>> parse_change("task.length=50"), parse_change("schedule=one-cycle"), parse_change("max_gradient_norm=none")
    (('task.length', 50), ('schedule', 'one-cycle'), ('max_gradient_norm', None))
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ValueError(f"--set: expected key=value, such as n_epochs=100, came {text!r}")
    value = value.strip()
    if value == "none":
        return key.strip(), None
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: not valid TOML: {error}") from None


def _changes_of(tables: dict[str, Any], task: str, model: str) -> Iterable[tuple[str, Any]]:
    """The settings of a file one by one; those of another task or model than the chosen one are not taken over."""
    for table, values in tables.items():
        if not isinstance(values, dict):
            if table not in ("preset", "seed", "device"):
                yield table, values
            continue
        if table == "authors":
            continue
        if {"task": task, "model": model}.get(table, values.get("name")) == values.get("name"):
            derived = {"name"} | ({"input_size", "output_size"} if table == "model" else set())
            kept = {key: None if value == "none" else value for key, value in values.items() if key not in derived}
            yield from ((f"{table}.{key}", value) for key, value in kept.items())


def flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with dotted names.

    >>> flat({"seed": 0, "task": {"length": 5}})
    {'seed': 0, 'task.length': 5}
    """
    pairs: dict[str, Any] = {}
    for key, value in tables.items():
        pairs |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return pairs


def _positive(value: object) -> bool:
    return is_number(value) and value > 0
