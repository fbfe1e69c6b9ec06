"""The authors' files of ``torch.save``: tensors, plain values and one class are read, anything else is refused."""

import argparse
from pathlib import Path
from typing import Any

from rnnscope.base.errors import RunError
from rnnscope.runs._torch_files import asked_for, load_safely, why_unreadable


def load_torch(path: Path) -> tuple[dict[str, Any], set[str]]:
    """The dict in a file of ``torch.save``, new or legacy, and the devices its tensors were on."""
    if path.stat().st_size == 0:
        raise RunError(f"{path}: the file is empty")
    devices: set[str] = set()

    def keep_on_cpu(storage: Any, location: str) -> Any:
        devices.add(location)
        return storage

    try:
        content = load_safely(path, [argparse.Namespace], keep_on_cpu)
    except Exception as error:
        raise RunError(f"{path}: {_why_refused(error)}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: expected a dict, came {type(content).__name__}: not a file of the authors' code")
    return content, devices


def _why_refused(error: Exception) -> str:
    name = asked_for(error)
    if name is None:
        return why_unreadable(error)
    return (
        f"refused: it asks for {name}, which is no data and might run code; "
        "only tensors, plain values and argparse.Namespace are read"
    )
