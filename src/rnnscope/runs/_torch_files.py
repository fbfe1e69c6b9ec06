"""Files of ``torch.save`` opened without executing anything that is pickled in them.

torch's reader of weights builds tensors and plain values, and stops at every other name that a file asks for. Where it
stops, a stand-in is put in the place of that name: an object of ours that takes whatever it is made with, and does
nothing. So the weights can be read that stand beside someone's settings of some class of theirs.
"""

import builtins
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnnscope.base.errors import RunError

StandIns = dict[str, Any]  # by the full name of what they stand for
_RUNS_CODE = {
    "os", "posix", "nt", "sys", "subprocess", "shutil", "socket", "importlib", "runpy", "ctypes", "pty", "pickle",
    "_pickle", "code", "webbrowser",
    "commands",  # subprocess, as protocol 2 calls it
}  # fmt: skip


class Foreign:
    """Stands where a file holds an object of a class that is not loaded; its subclasses bear the names of these."""

    is_module = False

    def __new__(cls, *_: Any, **__: Any) -> Any:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        self.is_module = isinstance(state, dict) and {"_parameters", "_modules"} <= state.keys()


class _Entries(Foreign):
    """Of a class that is filled like a dict."""

    def __new__(cls, *_: Any, **__: Any) -> Any:
        return OrderedDict()


class _Items(Foreign):
    """Of a class that is filled like a list."""

    def __new__(cls, *_: Any, **__: Any) -> Any:
        return []


class _NumpyType(Foreign):
    """numpy.dtype: keeps what it is made with."""

    def __init__(self, code: Any = "", *_: Any):
        self.code, self.order = str(code), "="

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.order = state[1]


def _numpy_number(kind: Any = None, content: Any = b"", *_: Any) -> Any:
    """A number of NumPy from its bytes, as Python's own."""
    known = isinstance(kind, _NumpyType) and re.fullmatch(r"[biuf][1248]", kind.code)
    if not known or not isinstance(content, bytes):
        return Foreign()
    dtype = np.dtype(kind.order + kind.code)
    return np.frombuffer(content, dtype)[0].item() if len(content) == dtype.itemsize else Foreign()


def foreign_name(value: Any) -> str | None:
    """The full name of the class that a stand-in stands for (or for an object of); None for any other value."""
    kind = value if isinstance(value, type) else type(value)
    return f"{kind.__module__}.{kind.__qualname__}" if issubclass(kind, Foreign) else None


def open_torch(path: Path, stand_ins: StandIns) -> Any:
    """The content of a file of ``torch.save`` on the CPU, with stand-ins for what is neither a tensor nor plain.

    Args:
        path: the file.
        stand_ins: those needed so far, which further ones are added to: of many files each is then opened once.

    Raises:
        RunError: cut short, damaged, of another kind, or it asks for something that runs code.

    """
    while True:
        try:
            return load_safely(path, stand_ins.values())
        except Exception as error:
            name, base = _wanted(error)
            if "Only persistent_load of storage is allowed" in str(error) and stand_ins:
                raise RunError(f"{path}: {whole_object([*stand_ins][-1], is_module=True, path=path)}") from error
            if name is None or base in getattr(stand_ins.get(name), "__mro__", ()):
                raise RunError(f"{path}: {why_unreadable(error)}") from error
            if _would_run_code(name):
                raise RunError(
                    f"{path}: refused: it asks for {name}, which runs code and has no place among weights; nothing in "
                    "it was executed. Do not open it unless you know who wrote it and why"
                ) from None
            stand_ins[name] = _stand_in(name, base)


def load_safely(path: Path, allowed: Collection[Any], map_location: Any = "cpu") -> Any:
    """``torch.load`` that builds tensors, plain values and the ``allowed`` classes and functions, without warnings."""
    mine = [each for each in allowed if each not in torch.serialization.get_safe_globals()]
    with warnings.catch_warnings(), torch.serialization.safe_globals(mine):
        warnings.simplefilter("ignore")
        return torch.load(path, map_location=map_location, weights_only=True)


def asked_for(error: BaseException) -> str | None:
    """The full name that torch's reader stopped at because it is not allowed; None where it failed otherwise."""
    found = re.search(r"GLOBAL (\S+)", str(error))
    if found is None:
        return None
    return found[1] if "." in found[1] else f"builtins.{found[1]}"


def why_unreadable(error: BaseException) -> str:
    """The reason in one line, without torch's advice to execute the pickle."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    if "TorchScript" in text:
        return (
            "a TorchScript archive, which is a program: expected weights, such as torch.save(torch.jit.load(file)"
            ".state_dict(), other_file) writes"
        )
    if "Unsupported operand" in text:
        return (
            "not a file of torch.save, damaged, or pickled in another way than that does by itself: expected "
            "torch.save(content, file), without pickle_protocol=… and not by pickle.dump"
        )
    detail = re.search(r"WeightsUnpickler error:\s*(.*)", text)
    first = detail[1] if detail else text.partition("\n")[0]
    reason = f": {first.partition('. ')[0]:.100}" if first else ""
    return f"cut short, damaged or not a file of torch.save ({type(error).__name__}{reason})"


def whole_object(name: str, *, is_module: bool, path: Path, taken: str = "") -> str:
    """What is wrong with an object of a class where weights are wanted, what to save instead, and how to convert.

    ``taken`` is how it is taken from the content of the file, such as "['model']".
    """
    what = f"a whole pickled module, {name}" if is_module else f"an object of {name}"
    loaded = f"torch.load({str(path)!r}, map_location='cpu', weights_only=False){taken}"
    return (
        f"it holds {what}, which cannot be read without running code. Expected a state dict: torch.save("
        '{"epoch": epoch, "state_dict": model.state_dict()}, file). If you trust the file, this makes one of it, run '
        "where its class can be imported:\n"
        f"    import torch\n    torch.save({loaded}.state_dict(), {str(path) + '.weights'!r})"
    )


def _wanted(error: BaseException) -> tuple[str | None, type]:
    """The name that a stand-in is needed for, and of which kind."""
    text = str(error)
    for words, base in ((r"Can only SETITEMS? for", _Entries), (r"Can only (?:append|extend)", _Items)):
        filled = re.search(words + r".*but got <class '(.+?)'>", text)
        if filled is not None:
            return filled[1], base
    return asked_for(error), Foreign


def _would_run_code(name: str) -> bool:
    module, _, last = name.partition(".")
    if module == "builtins":
        meant = getattr(builtins, last, None)
        return callable(meant) and not isinstance(meant, type) and meant is not getattr
    return module in _RUNS_CODE


def _stand_in(name: str, base: type) -> Callable[..., Any]:
    module, _, last = name.rpartition(".")
    if re.fullmatch(r"numpy\.(_core|core)\.multiarray\.scalar", name):

        def number(*arguments: Any) -> Any:
            return _numpy_number(*arguments)

        number.__module__, number.__qualname__ = module, last
        return number
    if re.fullmatch(r"numpy\.(_core|core)\.multiarray\._reconstruct", name):

        def array(kind: Any = Foreign, *_: Any) -> Any:
            return kind() if foreign_name(kind) else Foreign()

        array.__module__, array.__qualname__ = module, last
        return array
    if name == "numpy.dtype":
        base = _NumpyType
    return type(last, (base,), {"__module__": module, "__qualname__": last})
