"""The runs in a folder."""

from pathlib import Path

from rnnscope.base.errors import RunError
from rnnscope.runs.folder import is_run
from rnnscope.runs.run import Run


def list_runs(folder: str | Path = "runs") -> list[Run]:
    """The runs in ``folder`` and its subfolders, by path.

    Raises:
        RunError: there is no such folder.

    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; runs are made by 'rnnscope train' or a Recorder")
    if is_run(folder):
        return [Run(folder)]
    found = sorted({path.parent for path in folder.rglob("*.toml") if is_run(path.parent)})
    return [Run(path) for path in found]
