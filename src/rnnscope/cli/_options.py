"""The options that several commands have, each said once."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter


def option(help: str, name: str | tuple[str, ...] | None = None, **kwargs: Any) -> Parameter:
    return Parameter(name=name, help=help, negative="", show_default=kwargs.pop("show_default", False), **kwargs)


Run = Annotated[Path, option("Run folder.")]
Runs = Annotated[list[Path], option("Run folders.")]
NewRun = Annotated[Path | None, option("Run folder to write.")]
Overwrite = Annotated[
    bool, option("Replace a run in that folder, unless it is finished and of the same settings.", "--overwrite")
]
Changes = Annotated[
    list[str] | None,
    option("Change one setting; repeatable; a TOML value, or none.", "--set", metavar="KEY=VALUE"),
]
Config = Annotated[Path | None, option("TOML file with settings, such as a run's config.toml.")]
Preset = Annotated[str | None, option("Settings to begin with: quick (default) or paper.")]
Seed = Annotated[int | None, option("Seed of the weights (default 0); data follow task.seed.")]
Seeds = Annotated[
    str | None, option("Train once from each of several seeds: how many (5: 0 to 4), a range (5:8), or which (0,3,7).")
]
Trainers = Annotated[int, option("Processes to train several networks with.", "--workers", show_default=True)]
Device = Annotated[str | None, option("cpu (default) or cuda.")]
Epochs = Annotated[
    str | None,
    option("Which epochs: every 10th (10), a range (100:200), or some (1,50,100). All by default."),
]
Epoch = Annotated[int | None, option("One epoch only.")]
Workers = Annotated[int, option("Processes to measure with.", show_default=True)]
Model = Annotated[str | None, option("package.module:make, a function that builds the network, if the run cannot.")]
Compile = Annotated[
    bool, option("Compile a kernel for costs at many points (small networks; needs a C++ compiler).", "--compile")
]
Tracks = Annotated[
    str | None,
    option(
        "Tracks of the timeline, with commas between, of: loss, orbits, kinds, exponents, multipliers, cost, gradient, "
        "curvature, sensitivity, learning-rate."
    ),
]
Output = Annotated[Path, option("File to write.", ("--output", "-o"))]
Json = Annotated[bool, option("Print data instead of text.", "--json")]
Debug = Annotated[bool, option("Show the traceback of an error.")]
