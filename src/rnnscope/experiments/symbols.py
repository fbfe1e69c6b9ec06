"""The symbol study: networks that classify a sequence by two symbols seen long ago, and in what they keep them.

Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 5 (symbol classification); settings of ``paper`` from
their companion code.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from rnnscope.attractors import Attractors
from rnnscope.attractors._kinds import KINDS, UNDETERMINED
from rnnscope.experiments import _tables as t
from rnnscope.experiments._description import Claim, Measurement, Picture, Preset, Study, Tables, Trained
from rnnscope.experiments._held_out import HeldOut
from rnnscope.training import Config

LSTM, STABLE, ORTHOGONAL = "lstm", "stable-lstm", "orthogonal"
SOLVED = 0.9  # accuracy; chance is one in four
FACTORS = (1, 2, 5)


def measurements(*, orbits_every: int, stable_every: int) -> Callable[[Config], Mapping[str, Measurement]]:
    """What is measured: orbits at every so many recorded epochs, attractors at the last, of the stable LSTM also at
    earlier ones."""

    def of(config: Config) -> Mapping[str, Measurement]:
        last = [config.training["n_epochs"]]
        every = stable_every if config.model["name"] == STABLE else last
        settings = tuple((name, value) for name, value in config.task.items() if name != "name")
        longer = HeldOut(task="symbols", task_settings=settings, factors=FACTORS)
        return {
            "orbits": Measurement(probe="orbits", epochs=orbits_every),
            "attractors": Measurement(probe=Attractors(n_starts=16, n_extensions=1), epochs=every),
            "held-out": Measurement(probe=longer, epochs=last),
        }

    return of


def networks_found(networks: Sequence[Trained]) -> xr.Dataset:
    """One number for each network and question."""
    return t.numbers(
        networks,
        gap=("gap between the windows", "steps", lambda network: network.config.task["gap"]),
        accuracy=("accuracy on fresh sequences", "share", lambda network: accuracy_of(network, 1)),
        accuracy_longest=(
            f"the same, {FACTORS[-1]} × as long",
            "share",
            lambda network: accuracy_of(network, FACTORS[-1]),
        ),
        epochs_to_solve=(
            f"epochs until accuracy {SOLVED:g}",
            "epochs",
            t.first_epoch_at("validation_accuracy", SOLVED),
        ),
        one_fixed_point=("epochs × inputs with one fixed point alone", "share", t.share_of_one_fixed_point),
    )


def accuracy_of(network: Trained, factor: float) -> float:
    """Its accuracy at the last epoch, on sequences so many times as long as those it was trained on."""
    return float(network.found("held-out")["accuracy"].isel(step=-1).sel(factor=factor))


def accuracies_found(networks: Sequence[Trained]) -> xr.Dataset:
    """Accuracy against the length of the sequences, and the gap: (run, factor)."""
    table = t.over_runs(networks, [network.found("held-out").isel(step=-1, drop=True) for network in networks])
    table = t.with_settings(table, networks, gap="steps", length="steps")
    return table.assign(chance=((), 1 / networks[0].config.task["n_classes"]))


def counts_found(networks: Sequence[Trained]) -> xr.Dataset:
    """How many attractors there are under each symbol, against the number of classes: (run, input, kind)."""
    task = networks[0].config.build_task()
    table = t.with_settings(t.attractor_counts(networks), networks, gap="steps", length="steps")
    return table.assign(n_classes=((), task.n_classes)).assign_coords(
        distractor=("input", np.arange(task.input_size) >= task.n_relevant),
        accuracy=("run", [accuracy_of(network, 1) for network in networks]),
    )


def at_largest_gap(table: xr.Dataset, model: str) -> xr.Dataset:
    """The networks of a model trained with the largest gap."""
    chosen = t.of_model(table, model)
    gaps = chosen["gap"].values
    return chosen.isel(run=np.flatnonzero(gaps == gaps.max(initial=-1)))


def attractors_under_distractors(tables: Tables, model: str) -> float:
    """Median, over the distractors and the gaps at which a network solves the task, of the number of its attractors.

    One that could not be determined is not counted, but there is always one.
    """
    found = solved(t.of_model(tables["counts"], model))
    kinds = found["kind"].values != KINDS[UNDETERMINED]
    counted = found["n_attractors"].isel(kind=kinds, input=found["distractor"].values).sum("kind")
    return t.median(np.maximum(counted, 1))


def memory_of_differences(tables: Tables, model: str) -> float:
    """Median, over the same, of the time -1/λ1 in which a small difference between states fades, in training lengths.

    It is without limit where differences do not fade.
    """
    found = solved(t.of_model(tables["counts"], model))
    exponents = found["lyapunov_exponent"].isel(input=found["distractor"].values)
    with np.errstate(divide="ignore"):
        return t.median(xr.where(exponents < 0, -1 / exponents, np.inf) / found["length"])


def solved(table: xr.Dataset) -> xr.Dataset:
    """The networks that have learned it."""
    return table.isel(run=np.flatnonzero(table["accuracy"].values >= SOLVED))


def fall_with_gap(tables: Tables) -> float:
    """By how much the accuracy of the stable LSTM at the largest gap is below that at the smallest."""
    found = t.of_model(tables["networks"], STABLE)
    gaps = found["gap"].values
    if len(set(gaps.tolist())) < 2:
        return float("nan")
    smallest, largest = (found["accuracy"].values[gaps == gap] for gap in (gaps.min(), gaps.max()))
    return t.median(smallest) - t.median(largest)


def epochs_against_the_quickest(tables: Tables) -> float:
    """Epochs the orthogonal RNN takes, over those of the quickest other network, at the largest gap."""
    own, *others = (
        t.median(at_largest_gap(tables["networks"], model)["epochs_to_solve"]) for model in (ORTHOGONAL, LSTM, STABLE)
    )
    known = [epochs for epochs in others if not np.isnan(epochs)]
    return t.ratio(own, min(known)) if known else float("nan")


def loss_of_accuracy(tables: Tables, model: str) -> float:
    """How much accuracy is lost on sequences five times as long, median over the gaps at which it was solved."""
    found = solved(t.of_model(tables["networks"], model))
    return t.median(found["accuracy"] - found["accuracy_longest"])


STUDY = Study(
    title="Symbol classification",
    question=(
        "A sequence has one of four classes, by two symbols that stand early in it among many distractors. To answer "
        "at the end a network has to hold what it saw. Does it hold it in attractors, one for each class, or in "
        "transients that fade?"
    ),
    task="symbols",
    models=(LSTM, STABLE, ORTHOGONAL),
    presets={
        "quick": Preset(
            task_preset="quick",
            n_seeds=3,
            changes=("n_validation=1000", "orbits.n_starts=8"),
            settings={"gap 20": ("task.gap=20", "task.length=60"), "gap 50": ("task.gap=50", "task.length=90")},
            measurements=measurements(orbits_every=5, stable_every=10),
        ),
        "paper": Preset(
            task_preset="paper",
            n_seeds=5,
            changes=("recording.every=10",),
            settings={f"gap {gap}": (f"task.gap={gap}",) for gap in (20, 50, 100)},
            measurements=measurements(orbits_every=5, stable_every=100),
        ),
    },
    tables={"networks": networks_found, "accuracies": accuracies_found, "counts": counts_found},
    claims=(
        Claim(
            name="lstm-solves",
            statement="The LSTM solves the task at the largest gap",
            measure="its accuracy on fresh sequences; 0.25 by chance",
            value=lambda tables: t.median(at_largest_gap(tables["networks"], LSTM)["accuracy"]),
            direction="at least",
            threshold=SOLVED,
        ),
        Claim(
            name="several-attractors",
            statement="The LSTM that solves it has several attractors under distractor symbols",
            measure="number of attractors, median over distractors and the gaps that it solves; there are 4 classes",
            value=lambda tables: attractors_under_distractors(tables, LSTM),
            direction="at least",
            threshold=2.0,
        ),
        Claim(
            name="one-per-class",
            statement="It has one attractor for each class",
            measure="the same number",
            value=lambda tables: attractors_under_distractors(tables, LSTM),
            direction="at least",
            threshold=4.0,
        ),
        Claim(
            name="holds-longer",
            statement="It answers as well on sequences five times as long",
            measure="accuracy lost there, median over the gaps that it solves",
            value=lambda tables: loss_of_accuracy(tables, LSTM),
            direction="at most",
            threshold=0.1,
        ),
        Claim(
            name="stable-one-point",
            statement="The stable LSTM has exactly one attractor, a fixed point, at every input and epoch",
            measure="least share, over gaps, of measured epochs × inputs at which that is so",
            value=lambda tables: t.least(t.of_model(tables["networks"], STABLE)["one_fixed_point"]),
            direction="at least",
            threshold=1.0,
        ),
        Claim(
            name="stable-fails",
            statement="The stable LSTM fails at the largest gap",
            measure="its accuracy on fresh sequences; 0.25 by chance",
            value=lambda tables: t.median(at_largest_gap(tables["networks"], STABLE)["accuracy"]),
            direction="at most",
            threshold=0.5,
        ),
        Claim(
            name="stable-fails-with-gap",
            statement="The stable LSTM does worse as the gap grows",
            measure="accuracy at the smallest gap minus accuracy at the largest",
            value=fall_with_gap,
            direction="at least",
            threshold=0.1,
        ),
        Claim(
            name="orthogonal-fastest",
            statement="The orthogonal RNN learns fastest",
            measure=f"epochs until accuracy {SOLVED:g} at the largest gap, over those of the quickest other network",
            value=epochs_against_the_quickest,
            direction="at most",
            threshold=0.9,
        ),
        Claim(
            name="orthogonal-forgets",
            statement="The orthogonal RNN does not hold the symbols for longer than it was trained to",
            measure="accuracy lost on sequences five times as long, median over the gaps that it solves",
            value=lambda tables: loss_of_accuracy(tables, ORTHOGONAL),
            direction="at least",
            threshold=0.3,
        ),
        Claim(
            name="orthogonal-no-choice",
            statement="It has no two attractors under a distractor, between which it could choose",
            measure="number of attractors, median over distractors and the gaps that it solves",
            value=lambda tables: attractors_under_distractors(tables, ORTHOGONAL),
            direction="at most",
            threshold=1.0,
        ),
        Claim(
            name="orthogonal-fades",
            statement="What it holds are transients that fade",
            measure="time -1/λ1 in which differences fade under distractors, in training lengths, median over the same",
            value=lambda tables: memory_of_differences(tables, ORTHOGONAL),
            direction="at most",
            threshold=float(FACTORS[-1]),
        ),
    ),
    pictures=(
        Picture(
            file="orbits",
            figure="compare-orbits",
            table="orbits",
            caption="Orbit diagrams side by side, each on a value axis of its own: the values that an output takes "
            "under a constant symbol when a transient has gone, epoch after epoch, and the loss.",
            settings={"inputs": [0, 1, 2, 3], "equal_axes": False},
        ),
        Picture(
            file="accuracy",
            figure="accuracy",
            table="accuracies",
            caption="Accuracy on fresh sequences against the gap, for sequences as long as those trained on and more.",
        ),
        Picture(
            file="attractor-counts",
            figure="attractor-counts",
            table="counts",
            caption="How many attractors a network has under distractor symbols after training, against the number of "
            "classes.",
        ),
        t.CLAIMS_PICTURE,
    ),
    source="Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 5 (arXiv 1906.08482)",
)
