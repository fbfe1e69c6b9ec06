"""The folder that a training leaves behind: config, model, scalars, weight snapshots, probe results.

    config.toml              settings, as given and completed
    model.toml               what rebuilds the network's map
    provenance.json          versions, machine, command, when; SHA-256 of itself and of the two above
    scalars.jsonl            a line for each epoch; the only file that is appended to
    ended.json               how training ended, once it has; SHA-256 of itself and of scalars.jsonl
    recording.json           who resumed it
    checkpoint.safetensors   what resuming needs; replaced as training goes on
    snapshots/<step>.safetensors
    probes/<name>-<key>/<first>-<last>-<token>.nc   with its SHA-256 beside it

Every file but scalars.jsonl is written to a temporary name, flushed and renamed. Nothing is ever unpickled.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnscope.runs.folder import RunFolder as RunFolder
    from rnnscope.runs.listing import list_runs as list_runs
    from rnnscope.runs.run import Run as Run

_HOMES = {"Run": "run", "RunFolder": "folder", "list_runs": "listing"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
