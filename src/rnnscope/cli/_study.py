"""Carrying out a study over seeds: progress, what came out, files."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnscope.base.errors import RunError
from rnnscope.cli._terminal import command_line, err, named_warnings, out, print_json, progress_bar

if TYPE_CHECKING:
    from rnnscope.experiments import Findings, Plan
    from rnnscope.training.several import Outcome, Standing


_PROVENANCE = ("rnnscope", "torch", "python", "machine", "threads")


def run_study(plan: "Plan", folder: Path, *, workers: int, json: bool) -> None:
    """Train, measure, decide, draw, and say what came out; RunError at the end if anything is missing."""
    from rnnscope import figures
    from rnnscope.experiments import claim_folder, store
    from rnnscope.report import study as page

    n = len(plan.trainings)
    seeds = f"seed{'s' * (len(plan.seeds) > 1)} {', '.join(map(str, plan.seeds))}"
    networks = f"{n} network{'s' * (n > 1)} ({', '.join(plan.models)}; {seeds})"
    err.print(
        f"{plan.study.title.lower()}, preset {plan.preset}: {networks} with {workers} worker{'s' * (workers > 1)}; "
        f"kept in {folder}"
    )
    claim_folder(plan, folder)
    findings = _carry_out(plan, workers)
    store(findings, folder / "findings")
    files = []
    (folder / "figures").mkdir(exist_ok=True)
    for old in (folder / "figures").glob("*.png"):
        old.unlink()
    if not json:
        for line in tell(findings):
            out.print(line)
    with named_warnings():
        for name, _, figure in page.pictures(findings, "matplotlib"):
            if isinstance(figure, Exception):
                err.print(f"figure {name} is left out: {figure}", style="yellow")
            else:
                files.append(figures.save(figure, folder / "figures" / f"{name}.png"))
        provenance = findings.networks[0].run.provenance
        shown = {key: provenance[key] for key in _PROVENANCE if key in provenance}
        report = page.write_study(findings, folder / "report.html", command=command_line(), provenance=shown)
    if json:
        print_json(facts(findings, report, files))
    else:
        out.print(f"figures: {folder / 'figures'}")
        out.print(f"report: {report}")
    failures = [failure for failure in findings.failures if not failure.final]
    if failures:
        told = "; ".join(f"{failure.path}: {failure.what}: {failure.reason}" for failure in failures[:5])
        n_failed = len({failure.path for failure in failures})
        raise RunError(f"{n_failed} of {n} networks are left out of this: {told}. The same command tries again")


def _carry_out(plan: "Plan", workers: int) -> "Findings":
    from rnnscope.experiments import carry_out

    n = len(plan.trainings)
    with named_warnings(), ExitStack() as bars:
        report = bars.enter_context(progress_bar(f"training {n} networks", "epochs"))
        measuring: list[Any] = []

        def trained(outcome: "Outcome") -> None:
            for note in outcome.notes:
                err.print(f"warning: {outcome.path}: {note}", style="yellow")
            if outcome.status != "finished":
                err.print(f"{outcome.path}: {outcome.status}; {outcome.reason}")

        def training(standing: "Standing") -> None:
            report(standing.epochs, standing.n_epochs, f"{standing.ended} of {n} ended")

        def measured(done: int, total: int, name: str) -> None:
            if not measuring:
                bars.close()
                measuring.append(bars.enter_context(progress_bar("measuring", "measurements")))
            measuring[0](done, total, name)

        return carry_out(
            plan,
            n_workers=workers,
            on_trained=trained,
            on_training=training,
            on_measured=measured,
            provenance={"command": command_line()},
        )


def tell(findings: "Findings") -> list[str]:
    """Each claim with what decided it."""
    from rnnscope.report.study import claim_rows

    rows = claim_rows(findings.tables["claims"])
    width = max(len(row.verdict) for row in rows)
    lines = []
    for row in rows:
        lines.append(f"{row.verdict:<{width}}  {row.statement}")
        lines.append(f"{'':<{width}}  {row.measure}: {row.came}, wanted {row.wanted}; {row.held}")
    return lines


def facts(findings: "Findings", report: Path, files: Sequence[Path]) -> dict[str, Any]:
    """The same as plain data, with the number of each seed."""
    claims = findings.tables["claims"]
    return {
        "preset": findings.plan.preset,
        "seeds": list(findings.plan.seeds),
        "models": list(findings.plan.models),
        "claims": [
            {
                name: claims[name].sel(claim=claim).values.tolist()
                for name in ("statement", "measure", "direction", "threshold", "verdict")
            }
            | {"claim": claim, "values": claims["value"].sel(claim=claim).values.tolist()}
            for claim in claims["claim"].values.tolist()
        ],
        "networks": [
            {"run": str(network.run.path), "model": network.model, "seed": network.seed, "setting": network.setting}
            | {
                str(name): float(values[at])
                for name, values in findings.tables["networks"].data_vars.items()
                if values.dims == ("run",)
            }
            for at, network in enumerate(findings.networks)
        ],
        "failures": [{**asdict(failure), "path": str(failure.path)} for failure in findings.failures],
        "report": str(report),
        "files": [str(file) for file in files],
    }
