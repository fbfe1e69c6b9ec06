"""What the commands that train say of a training, before it and after."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnscope.runs import Run
    from rnnscope.training import Config


def default_path(settings: "Config") -> Path:
    """Where a run is kept if nobody says."""
    return Path("runs") / f"{settings.task['name']}-{settings.model['name']}-{settings.seed}"


def announce(settings: "Config", seeds: str = "") -> str:
    """What is going to be trained, and the disk it needs; for several seeds, each of them."""
    from rnnscope.runs.schedule import snapshot_count, snapshot_interval

    model = settings.build_model()
    n_parameters = sum(p.numel() for p in model.parameters())
    n_epochs = settings.training["n_epochs"]
    n_snapshots = snapshot_count(n_epochs, snapshot_interval(settings.recording.get("every"), n_parameters))
    size = n_snapshots * (4 * n_parameters + 1000)
    return (
        f"{settings.model['name']} with {n_parameters:,} parameters on task {settings.task['name']}, preset "
        f"{settings.preset}, {seeds or f'seed {settings.seed}'}: {n_epochs} epochs, "
        f"{n_snapshots} snapshots, about {_bytes(size)} of disk"
    )


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def facts_of(recorded: "Run") -> dict[str, Any]:
    """A training in a few numbers."""
    from rnnscope.findings.series import last_metrics

    losses = recorded.scalars["loss"].tolist() if "loss" in recorded.scalars else []
    first, last = (losses[0], losses[-1]) if losses else (None, None)
    return {
        "run": str(recorded.path),
        "status": recorded.status,
        "epochs": len(losses),
        "first_loss": first,
        "last_loss": last,
        "metrics": last_metrics(recorded.scalars),
    }


def course_of(recorded: "Run") -> str:
    """How the loss went."""
    from rnnscope.findings.words import metrics_words

    facts = facts_of(recorded)
    if not facts["epochs"]:
        return "no epoch recorded"
    course = f"loss {facts['first_loss']:.3g} → {facts['last_loss']:.3g} over {facts['epochs']} epochs"
    return f"{course}, {metrics_words(facts['metrics'])}" if facts["metrics"] else course
