"""Tensors on disk: safetensors with a digest of everything in them, so that a flipped bit is noticed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from rnnscope.base.errors import DamagedFileError
from rnnscope.base.files import write_bytes


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and text atomically; tensors that share their memory are written once, the others as aliases."""
    kept: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    seen: dict[tuple, str] = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        place = (tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if tensor.numel() and place in seen:
            aliases[name] = seen[place]
            continue
        seen[place] = name
        part = tensor.untyped_storage().nbytes() != tensor.numel() * tensor.element_size()
        kept[name] = (tensor.clone() if part else tensor).to("cpu").contiguous()
    text = {**metadata, "aliases": json.dumps(aliases)}
    write_bytes(path, safetensors.torch.save(kept, {**text, "sha256": _digest(kept, text)}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and text of a file, after comparing them with their digest.

    Raises:
        DamagedFileError: cut short, changed since it was written, or not of this kind.

    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        wanted = metadata.pop("sha256", None)
        if wanted != _digest(tensors, metadata):
            raise DamagedFileError(f"{path}: its content differs from its own SHA-256: bits were flipped")
        aliases = json.loads(metadata.pop("aliases", "{}"))
    except DamagedFileError:
        raise
    except FileNotFoundError:
        raise
    except Exception as error:
        raise DamagedFileError(f"{path}: cut short or not a safetensors file ({error})") from error
    return {**tensors, **{name: tensors[of] for name, of in aliases.items()}}, metadata


def tensor_digest(tensor: Tensor) -> str:
    """SHA-256 of one tensor: its type, shape and values."""
    return _digest({"": tensor.contiguous()}, {})


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"|{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
