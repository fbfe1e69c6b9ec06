"""Files of ``torch.save`` opened without executing a pickle: an allow-list of tensors, plain values and one class."""

import argparse
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from rnnscope.base.errors import RunError


def load_torch(path: Path) -> tuple[dict[str, Any], set[str]]:
    """The dict in a file of ``torch.save``, new or legacy, and the devices its tensors were on."""
    if path.stat().st_size == 0:
        raise RunError(f"{path}: the file is empty")
    devices: set[str] = set()

    def keep_on_cpu(storage: Any, location: str) -> Any:
        devices.add(location)
        return storage

    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location=keep_on_cpu, weights_only=True)
    except Exception as error:
        raise RunError(f"{path}: {_why_unreadable(error)}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: expected a dict, came {type(content).__name__}: not a file of the authors' code")
    return content, devices


def _why_unreadable(error: Exception) -> str:
    """The reason in one line, without torch's advice to execute the pickle."""
    text = str(error)
    wanted = re.search(r"GLOBAL (\S+)", text)
    if wanted:
        return (
            f"refused: it asks for {wanted.group(1)}, which is no data and might run code; "
            "only tensors, plain values and argparse.Namespace are read"
        )
    detail = re.search(r"WeightsUnpickler error: (.*)", text)
    first = detail.group(1) if detail else text.partition("\n")[0]
    detail_text = f": {first.partition('. ')[0]:.100}" if first else ""
    return f"cut short, damaged or not a file of torch.save ({type(error).__name__}{detail_text})"
