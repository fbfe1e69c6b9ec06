"""The page of an experiment over seeds: each claim with what decided it, the figures, the numbers, how to repeat it."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnscope.base.errors import require
from rnnscope.base.files import write_text
from rnnscope.base.intervals import median_interval
from rnnscope.experiments import holds
from rnnscope.figures.renderers import Backend
from rnnscope.figures.theme import PLOTLY_CONFIG, short
from rnnscope.report._write import BIBTEX, script_safe

if TYPE_CHECKING:
    import xarray

    from rnnscope.experiments import Findings


@dataclass(frozen=True)
class ClaimRow:
    """A claim in words: what was asked of it, what came at each seed, the verdict."""

    name: str
    statement: str
    measure: str
    wanted: str
    came: str
    held: str
    verdict: str


@dataclass(frozen=True)
class NumberTable:
    """Numbers of the networks, over seeds: median and interval; a column for each model and setting."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def claim_rows(claims: "xarray.Dataset") -> list[ClaimRow]:
    """The table of claims in words."""
    rows = []
    for name in claims["claim"].values.tolist():
        one = claims.sel(claim=name)
        values = one["value"].values.astype(float)
        known = values[~np.isnan(values)]
        direction, threshold = str(one["direction"].values), float(one["threshold"])
        n_held = sum(holds(values.tolist(), direction, threshold))
        held = f"{n_held} of {known.size} seeds" if known.size else "no seed could be measured"
        if known.size and known.size < values.size:
            held += f" ({values.size - known.size} could not be measured)"
        rows.append(
            ClaimRow(
                name=name,
                statement=str(one["statement"].values),
                measure=str(one["measure"].values),
                wanted=f"{'≥' if direction == 'at least' else '≤'} {short(threshold)}",
                came=over_seeds(known),
                held=held,
                verdict=str(one["verdict"].values),
            )
        )
    return rows


def number_tables(findings: "Findings") -> list[NumberTable]:
    """Numbers of every table that has one for each network, a row each, by model and setting."""
    found = []
    for table in findings.tables.values():
        names = [str(name) for name, variable in table.data_vars.items() if variable.dims == ("run",)]
        if set(table.dims) != {"run"} or not names:
            continue
        chosen = dict(groups(table))
        rows = [(_heading(table[name]), *(over_seeds(own[name].values) for own in chosen.values())) for name in names]
        found.append(NumberTable(str(table.attrs.get("title", "Numbers")), tuple(chosen), tuple(rows)))
    return found


def groups(table: "xarray.Dataset") -> "Iterator[tuple[str, xarray.Dataset]]":
    """Networks of the same model and setting, with what they are called."""
    labels = [
        f"{model}, {setting}" if setting else str(model)
        for model, setting in zip(table["model"].values, table["setting"].values, strict=True)
    ]
    for label in dict.fromkeys(labels):
        yield label, table.isel(run=[at for at, own in enumerate(labels) if own == label])


def over_seeds(values: np.ndarray) -> str:
    """Median and interval of the numbers of different seeds; their range where one is without limit.

    >>> over_seeds(np.array([0.5, 0.25, 1.0])), over_seeds(np.array([1.0, 1.0])), over_seeds(np.array([np.nan]))
    ('0.5 [0.25, 1]', '1', '–')
    """
    known = np.asarray(values, dtype=float)
    known = np.sort(known[~np.isnan(known)])
    if not known.size:
        return "–"
    middle = known[(known.size - 1) // 2] if math.isinf(known[-1]) else float(np.median(known))
    low, high = known[0], known[-1]
    if np.isfinite(known).all():
        interval = median_interval(known.tolist())
        low, high = interval.low, interval.high
    ends = short(low), short(high)
    return short(middle) if ends[0] == ends[1] == short(middle) else f"{short(middle)} [{ends[0]}, {ends[1]}]"


def _heading(variable: "xarray.DataArray") -> str:
    words, units = str(variable.attrs.get("long_name", variable.name)), str(variable.attrs.get("units", "1"))
    return words if units in ("1", "share") else f"{words} ({units})"


def pictures(findings: "Findings", backend: Backend) -> Iterator[tuple[str, str, Any]]:
    """File name, caption and figure of everything that is drawn; where one cannot be, the error stands in its place."""
    for name, caption, draw in _drawings(findings, backend):
        try:
            yield name, caption, draw()
        except ValueError as error:
            yield name, caption, error


def _drawings(findings: "Findings", backend: Backend) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """What is to be drawn; figures of orbits for each setting, of the lowest seed that most models have."""
    from rnnscope import figures

    for picture in findings.plan.study.pictures:
        draw = figures.load(picture.figure)
        if picture.table != "orbits":
            table = findings.tables[picture.table]
            yield picture.file, picture.caption, partial(draw, table, backend=backend, **picture.settings)
            continue
        for setting in dict.fromkeys(network.setting for network in findings.networks):
            own = [network for network in findings.networks if network.setting == setting]
            counts = Counter(network.seed for network in own)
            seed = min(counts, key=lambda seed, counts=counts: (-counts[seed], seed))
            shown = [network for network in own if network.seed == seed]
            orbits = {network.model: network.found("orbits") for network in shown}
            scalars = {network.model: network.run.scalars for network in shown}
            suffix = f"-{setting.replace(' ', '-')}" if setting else ""
            of = f" Seed {seed}{', ' + setting if setting else ''}."
            drawing = partial(draw, orbits, scalars=scalars, backend=backend, **picture.settings)
            yield picture.file + suffix, picture.caption + of, drawing


def write_study(
    findings: "Findings", path: str | Path, *, command: str = "", provenance: Mapping[str, Any] | None = None
) -> Path:
    """Write a page of what an experiment found; it asks nothing of the network.

    Args:
        findings: result of ``rnnscope.experiments.carry_out``.
        path: the file, ending in ``.html``; an existing one is replaced.
        command: what makes it anew.
        provenance: versions and machine, to be shown.

    Returns:
        The path.

    Raises:
        ValueError: a path that does not end in ``.html``.
        OSError: the file cannot be written; what stood there before still does.

    """
    from jinja2 import Environment, PackageLoader
    from plotly.offline import get_plotlyjs

    path = Path(path)
    require(path.suffix.lower() == ".html", "path", "a file name that ends in .html", str(path))
    everything = list(pictures(findings, "plotly"))
    drawn = [picture for picture in everything if not isinstance(picture[2], Exception)]
    missing = [f"{failure.path}: {failure.what}: {failure.reason}" for failure in findings.failures]
    missing += [f"figure {name}: {error}" for name, _, error in everything if isinstance(error, Exception)]
    environment = Environment(
        loader=PackageLoader("rnnscope", "report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    own = files("rnnscope.report")
    plan = findings.plan
    claims = findings.tables["claims"]
    rows = claim_rows(claims)
    page = environment.get_template("study.html.jinja").render(
        study=plan.study,
        lead=_lead(findings),
        counts=[(word, sum(row.verdict == word for row in rows)) for word in ("seen", "not seen", "undecided")],
        claims=rows,
        rule=claims.attrs["rule"],
        pictures=[(name, caption) for name, caption, _ in drawn],
        numbers=number_tables(findings),
        missing=missing,
        looked_at=[seed for seed in plan.seeds if seed in plan.study.looked_at],
        command=command,
        provenance=provenance or {},
        settings=_settings(findings),
        figures={name: script_safe(str(figure.to_json())) for name, _, figure in drawn},
        config=json.dumps(PLOTLY_CONFIG),
        bibtex=BIBTEX,
        plotlyjs=get_plotlyjs(),
        css=own.joinpath("page.css").read_text(encoding="utf-8"),
        javascript=own.joinpath("page.js").read_text(encoding="utf-8"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page)
    return path


def _lead(findings: "Findings") -> str:
    plan = findings.plan
    seeds = ", ".join(map(str, plan.seeds))
    settings = [setting for setting in dict.fromkeys(plan.settings.values()) if setting]
    words = f"{', '.join(plan.models)} on task {plan.study.task}, preset {plan.preset}"
    words += f", {'; '.join(settings)}" if settings else ""
    return f"{words}, seed{'s' * (len(plan.seeds) > 1)} {seeds}: {len(findings.networks)} networks."


def _settings(findings: "Findings") -> list[tuple[str, str]]:
    """The settings that all networks share."""
    from rnnscope.training.config import flat

    tables = [flat(config.tables()) for config in findings.plan.trainings.values()]
    shared = [key for key in tables[0] if all(other.get(key) == tables[0][key] for other in tables)]
    return [(key, str(tables[0][key])) for key in shared if key != "seed"]
