"""The symbol study: networks that classify a sequence by two symbols seen long ago, and in what they keep them.

Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 5 (symbol classification); settings of ``paper`` from
their companion code.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from rnnscope.attractors import Attractors
from rnnscope.attractors.limit_sets.kinds import KINDS, UNDETERMINED
from rnnscope.experiments import _tables as t
from rnnscope.experiments._description import Claim, Measurement, Picture, Preset, Study, Tables, Trained
from rnnscope.experiments._held_out import HeldOut
from rnnscope.training import Config

LSTM, STABLE, ORTHOGONAL = "lstm", "stable-lstm", "orthogonal"
SOLVED = 0.9  # accuracy; chance is one over the number of classes
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
    held_out = {
        name: (words, "share", held_out_number(measure, factor))
        for name, words, measure, factor in (
            ("accuracy", "accuracy on fresh sequences", "accuracy", 1),
            ("accuracy_twice", "2 × as long", "accuracy", 2),
            ("accuracy_longest", f"{FACTORS[-1]} × as long", "accuracy", FACTORS[-1]),
            ("matched", "accuracy under the best renaming of answers", "matched_accuracy", 1),
            ("matched_longest", f"the same, {FACTORS[-1]} × as long", "matched_accuracy", FACTORS[-1]),
        )
    }
    return t.numbers(
        networks,
        gap=("gap between the windows", "steps", lambda network: network.config.task["gap"]),
        n_epochs=("epochs", "1", lambda network: network.config.training["n_epochs"]),
        **held_out,
        epochs_to_solve=(
            f"epochs until accuracy {SOLVED:g} for good",
            "epochs",
            t.epoch_from_which("validation_accuracy", SOLVED),
        ),
        one_fixed_point=("epochs × inputs measured with one fixed point alone", "share", t.share_of_one_fixed_point),
    )


def held_out_number(name: str, factor: float) -> t.Number:
    """What the last network does on sequences so many times as long as those it was trained on."""
    return lambda network: float(network.found("held-out")[name].isel(step=-1).sel(factor=factor))


def accuracies_found(networks: Sequence[Trained]) -> xr.Dataset:
    """Accuracy against the length of the sequences, and the gap: (run, factor)."""
    table = t.over_runs(networks, [network.found("held-out").isel(step=-1, drop=True) for network in networks])
    table = t.with_settings(table, networks, gap="steps", length="steps")
    return table.assign(chance=((), 1 / networks[0].config.task["n_classes"]))


def counts_found(networks: Sequence[Trained]) -> xr.Dataset:
    """How many attractors there are under each symbol, against the number of classes: (run, input, kind)."""
    task = networks[0].config.build_task()
    table = t.with_settings(t.attractor_counts(networks), networks, gap="steps")
    return table.assign(n_classes=((), task.n_classes)).assign_coords(
        distractor=("input", np.arange(task.input_size) >= task.n_relevant),
        accuracy=("run", [held_out_number("accuracy", 1)(network) for network in networks]),
    )


def at_largest_gap(table: xr.Dataset, model: str) -> xr.Dataset:
    """The networks of a model trained with the largest gap."""
    chosen = t.of_model(table, model)
    gaps = chosen["gap"].values
    return chosen.isel(run=np.flatnonzero(gaps == gaps.max(initial=-1)))


def attractors_under_distractors(tables: Tables, model: str, *, per_class: bool = False) -> float:
    """Median, over the distractors and the gaps at which a network solves the task, of the number of its attractors.

    A continuum is none. Where a limit set could not be determined there is no number.
    """
    found = solved(t.of_model(tables["counts"], model))
    counts = found["n_attractors"].isel(input=found["distractor"].values)
    known = counts.sel(kind=KINDS[UNDETERMINED]) == 0
    return t.median(counts.sum("kind").where(known)) / (float(found["n_classes"]) if per_class else 1.0)


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


def epochs_against_the_lstm(tables: Tables) -> float:
    """Epochs that the orthogonal RNN takes over those of the LSTM, at the largest gap.

    Where the LSTM does not learn it, its epochs are all there were, so that the number is too large rather than too
    small; where the orthogonal RNN does not, it is infinite.
    """
    own, other = (
        t.median(at_largest_gap(tables["networks"], model)["epochs_to_solve"]) for model in (ORTHOGONAL, LSTM)
    )
    n_epochs = t.median(at_largest_gap(tables["networks"], LSTM)["n_epochs"])
    return t.ratio(own, min(other, n_epochs))


def lost(tables: Tables, model: str, name: str) -> float:
    """How much of an accuracy is lost on sequences five times as long, median over the gaps at which it was solved."""
    found = solved(t.of_model(tables["networks"], model))
    return t.median(found[name] - found[f"{name}_longest"])


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
            seeds=(3, 4, 5),
            changes=("n_validation=1000", "orbits.n_starts=8"),
            settings={"gap 20": ("task.gap=20", "task.length=60"), "gap 50": ("task.gap=50", "task.length=90")},
            measurements=measurements(orbits_every=5, stable_every=10),
        ),
        "paper": Preset(
            task_preset="paper",
            seeds=(3, 4, 5, 6, 7),
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
            measure="its accuracy on fresh sequences",
            about=(LSTM,),
            value=lambda tables: t.median(at_largest_gap(tables["networks"], LSTM)["accuracy"]),
            direction="at least",
            threshold=SOLVED,
        ),
        Claim(
            name="several-attractors",
            statement="The LSTM that solves it has several attractors under distractor symbols",
            measure="number of attractors, median over distractors and the gaps that it solves",
            about=(LSTM,),
            value=lambda tables: attractors_under_distractors(tables, LSTM),
            direction="at least",
            threshold=2.0,
        ),
        Claim(
            name="one-per-class",
            statement="It has at least as many as there are classes",
            measure="the same number over the number of classes",
            about=(LSTM,),
            value=lambda tables: attractors_under_distractors(tables, LSTM, per_class=True),
            direction="at least",
            threshold=1.0,
        ),
        Claim(
            name="lstm-right-longer",
            statement="The LSTM answers as well on sequences five times as long",
            measure="accuracy lost there, median over the gaps that it solves",
            about=(LSTM,),
            value=lambda tables: lost(tables, LSTM, "accuracy"),
            direction="at most",
            threshold=0.1,
        ),
        Claim(
            name="lstm-holds-longer",
            statement="It still tells the classes apart there, whatever it calls them",
            measure="accuracy under the best renaming of its answers lost there, median over the same",
            about=(LSTM,),
            value=lambda tables: lost(tables, LSTM, "matched"),
            direction="at most",
            threshold=0.1,
        ),
        Claim(
            name="stable-one-point",
            statement="The stable LSTM has exactly one attractor, a fixed point, at every input and epoch",
            measure="share of epochs × inputs measured at which all starts come to one fixed point, least over gaps",
            about=(STABLE,),
            value=lambda tables: t.least(t.of_model(tables["networks"], STABLE)["one_fixed_point"]),
            direction="at least",
            threshold=1.0,
        ),
        Claim(
            name="stable-fails",
            statement="The stable LSTM fails at the largest gap",
            measure="its accuracy on fresh sequences",
            about=(STABLE,),
            value=lambda tables: t.median(at_largest_gap(tables["networks"], STABLE)["accuracy"]),
            direction="at most",
            threshold=0.5,
        ),
        Claim(
            name="stable-fails-with-gap",
            statement="The stable LSTM does worse as the gap grows",
            measure="accuracy at the smallest gap minus accuracy at the largest",
            about=(STABLE,),
            value=fall_with_gap,
            direction="at least",
            threshold=0.1,
        ),
        Claim(
            name="orthogonal-faster",
            statement="The orthogonal RNN learns faster than the LSTM",
            measure=f"epochs until accuracy {SOLVED:g} for good at the largest gap, over those of the LSTM",
            about=(ORTHOGONAL, LSTM),
            value=epochs_against_the_lstm,
            direction="at most",
            threshold=0.9,
        ),
        Claim(
            name="orthogonal-no-attractors",
            statement="The orthogonal RNN solves it without two attractors between which to choose",
            measure="number of attractors, median over distractors and the gaps that it solves",
            about=(ORTHOGONAL,),
            value=lambda tables: attractors_under_distractors(tables, ORTHOGONAL),
            direction="at most",
            threshold=1.0,
        ),
        Claim(
            name="orthogonal-wrong-longer",
            statement="The orthogonal RNN answers worse on sequences five times as long",
            measure="accuracy lost there, median over the gaps that it solves",
            about=(ORTHOGONAL,),
            value=lambda tables: lost(tables, ORTHOGONAL, "accuracy"),
            direction="at least",
            threshold=0.3,
        ),
        Claim(
            name="orthogonal-fades",
            statement="What the orthogonal RNN holds are transients that fade",
            measure="accuracy under the best renaming of its answers lost there, median over the same",
            about=(ORTHOGONAL,),
            value=lambda tables: lost(tables, ORTHOGONAL, "matched"),
            direction="at least",
            threshold=0.3,
        ),
    ),
    pictures=(
        Picture(
            file="orbits",
            figure="compare-orbits",
            table="orbits",
            caption="Orbit diagrams side by side, each on a value axis of its own: the values that an output takes "
            "under a constant symbol when a transient has gone, epoch after epoch, and the loss.",
            settings={"equal_axes": False},
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
    looked_at=(0, 1, 2),
    source="Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 5 (arXiv 1906.08482)",
)
