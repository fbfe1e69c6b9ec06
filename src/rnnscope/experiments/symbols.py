"""The symbol study: networks that classify a sequence by two symbols seen long ago, and in what they keep them.

Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 5 (symbol classification); settings of ``paper`` from
their companion code.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from rnnscope.attractors import Attractors
from rnnscope.experiments import _tables as t
from rnnscope.experiments._description import Claim, Measurement, Picture, Preset, Study, Tables, Trained
from rnnscope.experiments._held_out import HeldOut
from rnnscope.training import Config

LSTM, STABLE, ORTHOGONAL = "lstm", "stable-lstm", "orthogonal"
SOLVED = 0.9  # accuracy; chance is one in four
FACTORS = (1, 2, 5)


def measurements(
    *, orbits_every: int, attractors_every: int, stable_every: int
) -> Callable[[Config], Mapping[str, Measurement]]:
    """What is measured, at every so many epochs."""

    def of(config: Config) -> Mapping[str, Measurement]:
        every = stable_every if config.model["name"] == STABLE else attractors_every
        settings = tuple((name, value) for name, value in config.task.items() if name != "name")
        longer = HeldOut(task="symbols", task_settings=settings, factors=FACTORS)
        return {
            "orbits": Measurement(probe="orbits", epochs=orbits_every),
            "attractors": Measurement(probe=Attractors(n_starts=16, n_extensions=1), epochs=every),
            "held-out": Measurement(probe=longer, epochs=[config.training["n_epochs"]]),
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
    symbols = np.arange(task.input_size)
    labels = [f"{'distractor' if k >= task.n_relevant else 'relevant'} {k}" for k in symbols]
    table = t.with_settings(t.attractor_counts(networks), networks, gap="steps")
    return table.assign(n_classes=((), task.n_classes)).assign_coords(
        input_label=("input", labels),
        distractor=("input", symbols >= task.n_relevant),
        accuracy=("run", [accuracy_of(network, 1) for network in networks]),
    )


def at_largest_gap(table: xr.Dataset, model: str) -> xr.Dataset:
    """The networks of a model trained with the largest gap."""
    chosen = t.of_model(table, model)
    gaps = chosen["gap"].values
    return chosen.isel(run=np.flatnonzero(gaps == gaps.max(initial=-1)))


def attractors_under_distractors(tables: Tables) -> float:
    """Median over distractor symbols of the number of attractors of the LSTM with the largest gap, if it solves it."""
    found = at_largest_gap(tables["counts"], LSTM)
    solved = found.isel(run=np.flatnonzero(found["accuracy"].values >= SOLVED), input=found["distractor"].values)
    return t.median(solved["n_attractors"].sum("kind"))


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
    """How much accuracy is lost on sequences five times as long, at the largest gap; NaN where it was not solved."""
    found = at_largest_gap(tables["networks"], model)
    solved = found.isel(run=np.flatnonzero(found["accuracy"].values >= SOLVED))
    return t.median(solved["accuracy"] - solved["accuracy_longest"])


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
            measurements=measurements(orbits_every=5, attractors_every=50, stable_every=10),
        ),
        "paper": Preset(
            task_preset="paper",
            n_seeds=5,
            settings={
                "gap 20": ("task.gap=20",),
                "gap 50": ("task.gap=50",),
                "gap 100": ("task.gap=100",),
            },
            measurements=measurements(orbits_every=50, attractors_every=1000, stable_every=1000),
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
            measure="attractors at the largest gap, median over distractors; there are 4 classes",
            value=attractors_under_distractors,
            direction="at least",
            threshold=2.0,
        ),
        Claim(
            name="one-per-class",
            statement="It has one attractor for each class",
            measure="the same number",
            value=attractors_under_distractors,
            direction="at least",
            threshold=4.0,
        ),
        Claim(
            name="holds-longer",
            statement="It answers as well on sequences five times as long",
            measure="accuracy lost there",
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
            name="stable-fails-with-gap",
            statement="The stable LSTM fails as the gap grows",
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
            name="orthogonal-fades",
            statement="The orthogonal RNN holds the symbols in transients that fade",
            measure="accuracy lost on sequences five times as long, at the largest gap",
            value=lambda tables: loss_of_accuracy(tables, ORTHOGONAL),
            direction="at least",
            threshold=0.3,
        ),
    ),
    pictures=(
        Picture(
            file="orbits",
            figure="compare-orbits",
            table="orbits",
            caption="Orbit diagrams side by side: the values that an output takes under a constant symbol when a "
            "transient has gone, epoch after epoch, and the loss on the same axis.",
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
