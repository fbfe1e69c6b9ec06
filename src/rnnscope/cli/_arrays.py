"""Arrays of someone's data, as the files hold them that people have; nothing in a file is ever executed."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnscope.base.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ".npy, .npz, .csv, .safetensors, .pt or .pth"


def read_array(place: str, option: str) -> "Tensor":
    """The one array of a file, or the one called NAME for FILE:NAME, with its own type and shape.

    Args:
        place: a file, or FILE:NAME where it holds several arrays.
        option: the option that it was given by, without its dashes: of several arrays the one of this name is taken.

    Raises:
        RunError: no such file, of another kind, damaged, or it is not clear which of its arrays is meant.

    """
    path, name = Path(place), None
    if not path.exists() and ":" in place:
        file, _, name = place.rpartition(":")
        path = Path(file)
    if not path.is_file():
        raise RunError(f"--{option} {place}: no such file")
    if path.suffix.lower() not in _READERS:
        raise RunError(f"--{option} {place}: expected a file that ends in {KINDS}, came {path.suffix or 'no ending'}")
    try:
        content = _READERS[path.suffix.lower()](path)
    except RunError:
        raise
    except OSError as error:
        raise RunError(f"--{option} {place}: cannot be read: {error.strerror or error}") from None
    except Exception as error:
        reason = str(error).partition("\n")[0].partition(". ")[0][:160]
        raise RunError(f"--{option} {place}: holds no plain arrays that can be read: {reason}") from None
    return _tensor(_chosen(content, name, option, place), option, place)


def _numpy(path: Path) -> Any:
    import numpy as np

    content = np.load(path, allow_pickle=False)
    if path.suffix.lower() == ".npz":
        with content:
            return {name: content[name] for name in content.files}
    return content


def _csv(path: Path) -> Any:
    """Rows of numbers with commas between (or semicolons, or tabs), under a line of names or not."""
    import numpy as np

    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    between = next((mark for mark in (";", "\t", ",") if lines and mark in lines[0]), ",")
    rows = list(csv.reader(lines, delimiter=between))
    if rows and not all(map(_is_number, rows[0])):
        rows = rows[1:]
    widths = {len(row) for row in rows}
    bad = next((cell for row in rows for cell in row if not _is_number(cell)), None)
    if len(widths) != 1 or bad is not None:
        came = "no row" if not rows else f"{bad!r}" if bad is not None else f"rows of {sorted(widths)} numbers"
        raise ValueError(f"expected a row of numbers for each step, all of one length, came {came}")
    return np.array([[float(cell) for cell in row] for row in rows])


def _safetensors(path: Path) -> Any:
    import safetensors.torch

    return safetensors.torch.load_file(path)


def _torch(path: Path) -> Any:
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


_READERS = {
    ".npy": _numpy, ".npz": _numpy, ".csv": _csv, ".safetensors": _safetensors, ".pt": _torch, ".pth": _torch,
}  # fmt: skip


def _chosen(content: Any, name: str | None, option: str, place: str) -> Any:
    """The array that is meant: the one of this name, the only one, or the one called as the option is."""
    if not isinstance(content, Mapping):
        if name is not None:
            raise RunError(f"--{option} {place}: the file holds one array without a name; leave out :{name}")
        return content
    names = [str(key) for key in content]
    wanted = name or (names[0] if len(names) == 1 else option)
    if wanted not in names:
        listed = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        file = place.removesuffix(f":{name}") if name else place
        example = f"; say which: --{option} {file}:{names[0]}" if names else ""
        raise RunError(
            f"--{option} {place}: expected an array called {wanted}, the file has {listed or 'none'}{example}"
        )
    return content[wanted]


def _tensor(value: Any, option: str, place: str) -> "Tensor":
    import torch

    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise RunError(f"--{option} {place}: expected an array of numbers, came {type(value).__name__}") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
