"""Probe results on disk: netCDF blocks of up to 256 snapshots, each with its SHA-256 beside it."""

import hashlib
import io
import json
import secrets
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from rnnscope.base.errors import DamagedFileError
from rnnscope.base.files import file_digest, replacing, write_text
from rnnscope.base.probe import Probe, plain
from rnnscope.runs.sealed import read_sealed, write_sealed

Read = TypeVar("Read")
BLOCK = 256  # opening a netCDF file takes about 80 ms, whatever its size
FLUSH_SECONDS = 30.0  # a kill loses no more than this


def results_folder(run: Path, probe: Probe, signature: str = "") -> Path:
    """Where the results of a probe stand in a run; ``signature`` tells those of a model given by hand apart."""
    key = hashlib.sha256((probe.description() + signature).encode()).hexdigest()[:10] if signature else probe.key
    return run / "probes" / f"{probe.name}-{key}"


def scratch_folder(folder: Path) -> Path:
    """Where one long measurement keeps its state until it has ended, in the folder of its results."""
    return folder / "scratch"


def read_description(folder: Path) -> dict[str, Any]:
    """Name, version and settings of the probe that the results in a folder were measured with.

    Raises:
        DamagedFileError: neither probe.json nor any block says.

    """
    described = read_sealed(folder / "probe.json")
    if not described.problem and isinstance(described.content.get("settings"), dict):
        return described.content
    for path in sorted(folder.glob("*.nc")):
        try:
            return describe_block(read_block(path))
        except DamagedFileError:
            continue
    raise DamagedFileError(f"{folder / 'probe.json'}: missing or not valid; its results are left out")


def folders_with(run: Path, name: str, settings: dict[str, Any], report: Callable[[str], None]) -> list[Path]:
    """Where results of the probe called ``name`` are stored that were measured with these settings at least.

    A folder of which no file says its settings is reported and left out.
    """
    found = []
    for folder in sorted((run / "probes").glob(f"{name}-*")):
        if not any(path.is_file() for path in folder.iterdir()):
            continue  # a probe that was killed before its first result
        try:
            own = read_description(folder)["settings"]
        except DamagedFileError as error:
            report(str(error))
            continue
        if all(own.get(key) == plain(value) for key, value in settings.items()):
            found.append(folder)
    return found


def describe_block(block: xr.Dataset) -> dict[str, Any]:
    """Name, version and settings of the probe that a block was measured with: what probe.json says too."""
    return json.loads(block.attrs["settings"])


def write_block(folder: Path, block: xr.Dataset) -> Path:
    """Write a block of results (dimension ``step`` first) as <first>-<last>-<token>.nc, atomically.

    The token is drawn anew for each block: processes that measure at the same time overwrite nothing of each other. A
    damaged block of the same first and last step gives way to it.
    """
    steps = block["step"].values
    folder.mkdir(parents=True, exist_ok=True)
    write_sealed(folder / "probe.json", describe_block(block))
    span = f"{steps[0]:010d}-{steps[-1]:010d}"
    damaged = [old for old in folder.glob(f"{span}*.nc") if _is_damaged(old)]
    path = write_dataset(folder / f"{span}-{secrets.token_hex(4)}.nc", block)
    for old in damaged:
        remove_block(old)
    return path


def write_dataset(path: Path, dataset: xr.Dataset) -> Path:
    """Write a Dataset as netCDF, atomically, and its SHA-256 beside it; ``read_block`` reads it.

    HDF5 writes into memory: on a full disk it would end the whole process.
    """
    content = io.BytesIO()
    dataset.to_netcdf(content, engine="h5netcdf", encoding=_encoding(dataset))
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())
        write_text(_digest_path(path), f"{file_digest(temporary)}  {path.name}\n")
    return path


def remove_block(path: Path) -> None:
    """Remove a block and its digest."""
    path.unlink(missing_ok=True)
    _digest_path(path).unlink(missing_ok=True)


def _is_damaged(path: Path) -> bool:
    try:
        read_block(path)
    except DamagedFileError:
        return True
    return False


def last_step(path: Path) -> int:
    """The last step of a block, of its file's name; older versions gave names without a token.

    >>> last_step(Path("0000000001-0000000064-9f86d081.nc")), last_step(Path("0000000001-0000000064.nc"))
    (64, 64)
    """
    return int(path.name[11:21])


def read_block(path: Path) -> xr.Dataset:
    """A block, whole in memory, after comparing the file with its digest.

    Raises:
        DamagedFileError: cut short or changed since it was written.

    """
    return _read(path, lambda block: block.load())


def read_groups(folder: Path) -> tuple[set[tuple[int, ...]], list[str]]:
    """What all readable blocks of a probe are of, (step,) or (earlier step, step), and a line for each damaged block;
    much quicker than reading them."""
    groups: set[tuple[int, ...]] = set()
    problems = []
    for path in sorted(folder.glob("*.nc")):
        try:
            groups.update(_read(path, _groups))
        except DamagedFileError as error:
            problems.append(str(error))
    return groups, problems


def _groups(block: xr.Dataset) -> list[tuple[int, ...]]:
    names = [name for name in ("earlier_step", "step") if name in block.coords]
    return list(zip(*(block[name].values.tolist() for name in names), strict=True))


def _read(path: Path, part: Callable[[xr.Dataset], Read]) -> Read:
    try:
        wanted = _digest_path(path).read_text().split()[:1]
        if wanted != [file_digest(path)]:
            raise DamagedFileError(f"{path}: differs from {_digest_path(path).name}: cut short or bits were flipped")
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False, decode_timedelta=False) as block:
            return part(block)
    except DamagedFileError:
        raise
    except FileNotFoundError:
        raise DamagedFileError(f"{path}: {_digest_path(path).name} is missing") from None
    except UnicodeDecodeError:
        raise DamagedFileError(f"{path}: {_digest_path(path).name} is damaged") from None
    except Exception as error:
        raise DamagedFileError(f"{path}: not a readable netCDF file ({error})") from error


def read_blocks(folder: Path) -> tuple[list[xr.Dataset], list[str]]:
    """All readable blocks of a probe in order of step, and a line for each damaged one."""
    blocks, problems = [], []
    for path in sorted(folder.glob("*.nc")):
        try:
            blocks.append(read_block(path))
        except DamagedFileError as error:
            problems.append(str(error))
    return blocks, problems


def preferred(found: list[tuple[Path, list[xr.Dataset]]], usual: Path | None) -> list[xr.Dataset]:
    """The blocks in the folder ``usual``, else those of most steps, of as many those of most snapshots of a path, of as
    many those written last."""

    def rank(stored: tuple[Path, list[xr.Dataset]]) -> tuple[bool, int, int, int]:
        folder, blocks = stored
        n_snapshots = max(block.sizes.get("snapshot", 0) for block in blocks)
        n_steps = len({step for block in blocks for step in block["step"].values.tolist()})
        written = max(path.stat().st_mtime_ns for path in folder.glob("*.nc"))
        return folder == usual, n_steps, n_snapshots, written

    return max(found, key=rank)[1]


def of_pairs(whole: xr.Dataset, pairs: Collection[tuple[int, ...]] | None = None) -> xr.Dataset:
    """Those of a result's pairs (earlier step, step) that are wanted; None: of several with the same later step the
    nearest. A result that is not of pairs stays as it is."""
    if "earlier_step" not in whole.coords:
        return whole
    there = _groups(whole)
    if pairs is None:
        pairs = {(earlier, step) for step, earlier in {step: earlier for earlier, step in sorted(there)}.items()}
    return whole.isel(step=[at for at, pair in enumerate(there) if pair in pairs])


def join_blocks(blocks: list[xr.Dataset]) -> xr.Dataset:
    """Blocks as one Dataset in order of step; what was measured twice: the last wins.

    Dimensions that are longer at some steps than at others, such as the number of fixed points, are filled up with NaN,
    whole numbers with -1.
    """
    longest = {dim: max(block.sizes.get(dim, 0) for block in blocks) for dim in blocks[0].dims if dim != "step"}
    blocks = [_filled_up(block, longest, blocks) for block in blocks]
    labels = {name: c for block in blocks for name, c in block.coords.items() if "step" not in c.dims}
    blocks = [block.assign_coords({n: c for n, c in labels.items() if n not in block.coords}) for block in blocks]
    whole = blocks[0] if len(blocks) == 1 else xr.concat(
        blocks, dim="step", data_vars="minimal", coords="minimal", compat="override",
        join="override", combine_attrs="override",
    )  # fmt: skip
    groups = _groups(whole)
    last = {group: at for at, group in enumerate(groups)}
    order = [last[group] for group in sorted(last, key=lambda group: group[::-1])]
    return whole if order == list(range(len(groups))) else whole.isel(step=order)


def _filled_up(block: xr.Dataset, longest: dict[Any, int], blocks: list[xr.Dataset]) -> xr.Dataset:
    short = {dim: size for dim, size in longest.items() if block.sizes.get(dim, size) < size}
    if not short:
        return block
    like = {dim: next(other for other in blocks if other.sizes[dim] == size) for dim, size in short.items()}
    variables = {}
    for name, variable in block.variables.items():
        if name in short:
            variables[name] = like[name].variables[name]
            continue
        pads = [(0, short[dim] - block.sizes[dim]) if dim in short else (0, 0) for dim in variable.dims]
        fill = np.nan if variable.dtype.kind == "f" else False if variable.dtype.kind == "b" else -1
        values = np.pad(variable.values, pads, constant_values=fill) if any(map(any, pads)) else variable.values
        variables[name] = xr.Variable(variable.dims, values, variable.attrs)
    coords = {name: variables.pop(name) for name in block.coords}
    return xr.Dataset(variables, coords, block.attrs)


def _digest_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _encoding(block: xr.Dataset) -> dict[str, dict]:
    compressed = {"fletcher32": True, "zlib": True, "complevel": 1, "shuffle": True}
    return {
        str(name): dict(compressed) if variable.ndim else {}
        for name, variable in block.variables.items()
        if np.issubdtype(variable.dtype, np.number)
    }
