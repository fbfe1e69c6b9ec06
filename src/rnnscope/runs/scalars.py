"""scalars.jsonl: a line for each recorded epoch, with a check sum in the line."""

import errno
import json
import math
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from rnnscope.base.errors import DamagedFileError
from rnnscope.base.files import write_bytes


def append_scalars(path: Path, row: Mapping[str, float | int | str]) -> None:
    """Append one line and flush it to the disk; an unfinished line that a crash left at the end is closed first.

    Raises:
        OSError: the disk is full; the file is then as it was before.

    """
    content = json.dumps({key: _standard(value) for key, value in row.items()})
    line = json.dumps({**json.loads(content), "crc": _check_sum(content)}) + "\n"
    with path.open("ab+", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            line = line if file.read(1) == b"\n" else "\n" + line
        encoded = line.encode()
        try:
            if file.write(encoded) != len(encoded):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise


def keep_scalars(path: Path, last_step: int) -> None:
    """Rewrite the file, atomically, with the lines of steps up to ``last_step`` only."""
    kept = []
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            if line and _parse(line)["step"] <= last_step:
                kept.append(line + b"\n")
        except DamagedFileError:
            continue
    write_bytes(path, b"".join(kept))


def read_scalars(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Scalars with the epoch as index, and a line for each damaged one.

    A torn last line is dropped without a word: that is what a crash leaves. A step written twice: the last wins.
    """
    rows: dict[int, dict] = {}
    problems = []
    text = path.read_bytes() if path.exists() else b""
    lines = text.split(b"\n")
    torn = lines.pop()
    for number, line in enumerate(lines, start=1):
        try:
            if line:
                row = _parse(line)
                rows[row["step"]] = row
        except DamagedFileError as error:
            problems.append(f"{path}: line {number}: {error}")
    if torn:
        try:
            row = _parse(torn)
            rows[row["step"]] = row
        except DamagedFileError:
            pass
    frame = pd.DataFrame([rows[step] for step in sorted(rows)])
    if frame.empty:
        frame = pd.DataFrame({"step": pd.Series(dtype=int), "epoch": pd.Series(dtype=int)})
    return frame.set_index("epoch"), problems


def last_epoch(path: Path) -> int:
    """The epoch of the last whole line, read from the end of the file alone; 0 where there is none."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - 8192, 0))
        lines = file.read().split(b"\n")
    for line in reversed(lines):
        try:
            return _parse(line)["epoch"]
        except DamagedFileError:
            continue
    return 0


def _parse(line: bytes) -> dict:
    try:
        row = json.loads(line)
        crc = row.pop("crc")
        row["step"], row["epoch"] = int(row["step"]), int(row["epoch"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise DamagedFileError("not a record") from None
    if crc != _check_sum(json.dumps(row)):
        raise DamagedFileError("differs from its check sum")
    return {key: float(value) if value in ("nan", "inf", "-inf") else value for key, value in row.items()}


def _check_sum(content: str) -> str:
    return f"{zlib.crc32(content.encode()):08x}"


def _standard(value: float | int | str) -> float | int | str:
    """A value that standard JSON can hold: NaN and infinities as text."""
    if isinstance(value, bool | int | str):
        return value
    value = float(value)
    return value if math.isfinite(value) else str(value)
