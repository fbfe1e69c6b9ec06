"""JSON files that hold their own SHA-256, and that of files beside them which hold none: config.toml, scalars.jsonl."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnnscope.base.files import file_digest, write_text

_SEAL = "sha256_of_files"


@dataclass(frozen=True)
class Sealed:
    """What a JSON file says, without its seal; ``problem`` is what is wrong with it, ``digests`` those of other files.

    Files of older versions have no seal: then nothing is wrong, and nothing is known of other files.
    """

    content: dict[str, Any] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    has_seal: bool = False
    problem: str | None = None


def write_sealed(path: Path, content: Mapping[str, Any], beside: tuple[str, ...] = ()) -> None:
    """Write a JSON object atomically with its own digest and those of the files called ``beside`` in its folder."""
    digests = {name: file_digest(path.with_name(name)) for name in beside if path.with_name(name).exists()}
    plain = json.loads(json.dumps(content))
    plain.pop(_SEAL, None)
    seal = {**digests, path.name: _digest(plain, digests)}
    write_text(path, json.dumps({**plain, _SEAL: seal}, indent=1) + "\n")


def read_sealed(path: Path) -> Sealed:
    """A JSON object and whether it is as it was written; raises nothing."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Sealed(problem=f"{path}: missing")
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not content:
        return Sealed(problem=f"{path}: not a JSON object")
    seal = content.pop(_find_seal(content, path.name), None)
    if seal is None:
        return Sealed(content)
    digests = dict(seal) if isinstance(seal, dict) else {}
    if digests.pop(path.name, None) != _digest(content, digests):
        return Sealed(content, has_seal=True, problem=f"{path}: differs from its own SHA-256")
    return Sealed(content, digests, has_seal=True)


def altered(path: Path, noted_in: str) -> str | None:
    """What is wrong with a file whose digest is noted in a sealed file beside it; None if nothing is, or none is noted.

    A digest from a file that is damaged itself accuses nobody.
    """
    wanted = read_sealed(path.with_name(noted_in)).digests.get(path.name)
    if wanted is None:
        return None
    try:
        return None if file_digest(path) == wanted else f"{path}: differs from its SHA-256 in {noted_in}"
    except FileNotFoundError:
        return f"{path}: missing"
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"


def _find_seal(content: Mapping[str, Any], name: str) -> str:
    """The seal's key, which may be damaged itself: then it is that of the entry that speaks of the file."""
    others = (key for key, value in content.items() if isinstance(value, dict) and name in value)
    return _SEAL if _SEAL in content else next(others, _SEAL)


def _digest(content: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps([content, digests], sort_keys=True).encode()).hexdigest()
