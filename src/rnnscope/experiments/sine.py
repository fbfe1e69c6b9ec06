"""The sine study: which networks learn to generate a sine, and which go on generating it.

Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 5 (sine generation); settings of ``paper`` from their
companion code.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from rnnscope.attractors import Attractors
from rnnscope.attractors.limit_sets.kinds import UNDETERMINED
from rnnscope.experiments import _tables as t
from rnnscope.experiments._continuation import Continuation
from rnnscope.experiments._description import Claim, Measurement, Picture, Preset, Study, Tables, Trained
from rnnscope.training import Config

LSTM, STABLE, ORTHOGONAL = "lstm", "stable-lstm", "orthogonal"
RIGHT_INSIDE, RIGHT_OUTSIDE = 0.02, 0.05  # relative errors of a frequency
GOES_ON = 0.1  # phase-free squared error of the last window; a constant zero output has 0.5
WIDER = 0.5  # of the trained range, on either side of it


def measurements(
    orbits_every: Mapping[str, int], attractors_every: Mapping[str, int]
) -> Callable[[Config], Mapping[str, Measurement]]:
    """What is measured, at every so many recorded epochs of each model; at the last also outside the trained range,
    from the zero state, where sequences begin."""

    def of(config: Config) -> Mapping[str, Measurement]:
        model = config.model["name"]
        last = [config.training["n_epochs"]]
        asked = tuple(asked_frequencies(config).tolist())
        from_zero = Attractors(inputs=[[value] for value in asked], starts="zero", n_starts=1)
        going_on = Continuation(frequencies=asked, length=config.task["length"])
        return {
            "orbits": Measurement(probe="orbits", epochs=orbits_every[model]),
            "attractors": Measurement(probe="attractors", epochs=attractors_every[model]),
            "attractors-from-zero": Measurement(probe=from_zero, epochs=last),
            "continuation": Measurement(probe=going_on, epochs=last),
        }

    return of


def asked_frequencies(config: Config) -> np.ndarray:
    """31 inputs, from half the width of the trained range below it to half its width above, all between 0 and π."""
    lowest, highest = config.task["lowest"], config.task["highest"]
    margin = WIDER * (highest - lowest)
    return np.linspace(max(lowest - margin, lowest / 4), min(highest + margin, (highest + np.pi) / 2), 31)


def continuation_found(networks: Sequence[Trained]) -> xr.Dataset:
    """Errors window by window, and what the state comes to from where they begin, the zero state: (run, input, window).

    ``closed_curve``: to a closed curve, or a cycle of at least three states; ``determined``: it could be told.
    """
    parts = []
    for network in networks:
        found = network.found("continuation").isel(step=-1, drop=True)
        ends = network.found("attractors-from-zero").isel(step=-1)
        determined = (ends["kind"].values != UNDETERMINED).all(-1)
        task, values = network.config.task, found["input_value"].values
        inside = (values >= task["lowest"] - 1e-9) & (values <= task["highest"] + 1e-9)
        own = {"closed_curve": ("input", t.closed_curves(ends)), "determined": ("input", determined)}
        parts.append(found.assign(own).assign_coords(inside=("input", inside)))
    return t.over_runs(networks, parts)


def networks_found(networks: Sequence[Trained]) -> xr.Dataset:
    """One number for each network and question."""
    table = t.numbers(
        networks,
        loss=("final training loss", "1", t.last_scalar("loss")),
        one_fixed_point=("epochs × inputs measured with one fixed point alone", "share", t.share_of_one_fixed_point),
        no_attractor=("inputs without an attractor at the end", "share", t.share_without_attractor),
    )
    found = continuation_found(networks)
    inside = found.isel(input=np.flatnonzero(found["inside"].values))
    outside = found.isel(input=np.flatnonzero(~found["inside"].values))
    errors = inside["phase_free_error"]
    more = {
        "curves": (inside["closed_curve"].mean("input"), "inputs with a closed curve or cycle at the end"),
        "undetermined": ((~inside["determined"]).mean("input"), "inputs where that could not be told"),
        "error_first": (errors.isel(window=0).median("input"), "error at 1 training length, best phase"),
        "error_last": (errors.isel(window=-1).median("input"), "error at 10 training lengths"),
        "right_inside": (right(inside, RIGHT_INSIDE), f"inputs inside the range right to {RIGHT_INSIDE:.0%}"),
        "right_outside": (right(outside, RIGHT_OUTSIDE), f"inputs outside right to {RIGHT_OUTSIDE:.0%}"),
    }
    attrs = {name: {"long_name": words, "units": "1"} for name, (_, words) in more.items()}
    return table.assign({name: ("run", values.values, attrs[name]) for name, (values, _) in more.items()})


def right(found: xr.Dataset, tolerance: float) -> xr.DataArray:
    """The share of inputs at which a network oscillates, and at the wanted frequency within a relative tolerance."""
    wanted = found["input_value"]
    return (abs(found["learned_frequency"] - wanted) <= tolerance * wanted).mean("input")


def frequencies_found(networks: Sequence[Trained]) -> xr.Dataset:
    """Learned against wanted frequency, inside and outside the trained range: (run, input)."""
    table = continuation_found(networks)[["learned_frequency", "closed_curve"]].rename(input_value="wanted_frequency")
    task = networks[0].config.task
    return table.assign(trained_lowest=((), task["lowest"]), trained_highest=((), task["highest"]))


def share_that_goes_on(tables: Tables, *, with_curve: bool) -> float:
    """Of the networks × inputs of the trained range with a closed curve (without), the share that follow the sine to
    the end; those that could not be told are neither."""
    found = tables["continuation"]
    inside = found["inside"].values & found["determined"].values
    chosen = inside & (found["closed_curve"].values == with_curve)
    follows = (found["phase_free_error"].isel(window=-1) < GOES_ON).values
    return t.ratio(follows[chosen].sum(), chosen.sum())


def number(name: str, model: str) -> Callable[[Tables], float]:
    """A number of the table of networks, of one model."""
    return lambda tables: t.median(t.of_model(tables["networks"], model)[name])


STUDY = Study(
    title="Sine generation",
    question=(
        "A network is given a constant input, a frequency, and is to produce the sine of that frequency. To go on "
        "doing so for ever its state has to move on a closed curve. Which networks have one, since when, and what "
        "happens to those that have none?"
    ),
    task="sine",
    models=(LSTM, STABLE, ORTHOGONAL),
    presets={
        "quick": Preset(
            task_preset="quick",
            seeds=(3, 4, 5),
            measurements=measurements(
                orbits_every={LSTM: 1, STABLE: 10, ORTHOGONAL: 2},
                attractors_every={LSTM: 100, STABLE: 20, ORTHOGONAL: 100},
            ),
        ),
        "paper": Preset(
            task_preset="paper",
            seeds=(3, 4, 5, 6, 7),
            changes=("recording.every=10",),
            measurements=measurements(
                orbits_every={LSTM: 1, STABLE: 5, ORTHOGONAL: 1},
                attractors_every={LSTM: 50, STABLE: 50, ORTHOGONAL: 50},
            ),
        ),
    },
    tables={
        "networks": networks_found,
        "continuation": continuation_found,
        "frequencies": frequencies_found,
        "coincidences": t.coincidences,
    },
    claims=(
        Claim(
            name="only-curves-go-on",
            statement="A network without a closed-curve attractor does not go on generating the sine",
            measure="share, of networks × inputs that end neither on a closed curve nor on a cycle, with a squared "
            f"error (best phase) below {GOES_ON:g} at 10 training lengths",
            about=(LSTM, STABLE, ORTHOGONAL),
            value=lambda tables: share_that_goes_on(tables, with_curve=False),
            direction="at most",
            threshold=0.05,
        ),
        Claim(
            name="curves-go-on",
            statement="A network with a closed-curve attractor does go on",
            measure="the same share of networks × inputs that end on a closed curve or a cycle of at least 3 states",
            about=(LSTM, STABLE, ORTHOGONAL),
            value=lambda tables: share_that_goes_on(tables, with_curve=True),
            direction="at least",
            threshold=0.8,
        ),
        Claim(
            name="stable-one-point",
            statement="The stable LSTM has exactly one attractor, a fixed point, at every input and epoch",
            measure="share of the epochs × inputs measured at which all starts come to one fixed point",
            about=(STABLE,),
            value=number("one_fixed_point", STABLE),
            direction="at least",
            threshold=1.0,
        ),
        Claim(
            name="stable-fails",
            statement="The stable LSTM does not learn to generate the sine",
            measure="its final training loss; 0.5 is what a constant zero output gets",
            about=(STABLE,),
            value=number("loss", STABLE),
            direction="at least",
            threshold=0.25,
        ),
        Claim(
            name="orthogonal-fits",
            statement="The orthogonal RNN fits the sine within the training length",
            measure="its final training loss; 0.5 is what a constant zero output gets",
            about=(ORTHOGONAL,),
            value=number("loss", ORTHOGONAL),
            direction="at most",
            threshold=0.1,
        ),
        Claim(
            name="orthogonal-no-attractor",
            statement="The orthogonal RNN has no attractor",
            measure="share of inputs at which it has nothing but a continuum of neutral orbits after training",
            about=(ORTHOGONAL,),
            value=number("no_attractor", ORTHOGONAL),
            direction="at least",
            threshold=0.9,
        ),
        Claim(
            name="frequency-inside",
            statement="Inside the trained range the LSTM oscillates at the wanted frequency",
            measure=f"share of inputs at which it does, within {RIGHT_INSIDE:.0%}",
            about=(LSTM,),
            value=number("right_inside", LSTM),
            direction="at least",
            threshold=0.9,
        ),
        Claim(
            name="frequency-outside",
            statement="Outside the trained range the LSTM oscillates at the wanted frequency too",
            measure=f"share of inputs at which it does, within {RIGHT_OUTSIDE:.0%}",
            about=(LSTM,),
            value=number("right_outside", LSTM),
            direction="at least",
            threshold=0.9,
        ),
        Claim(
            name="jumps-at-events",
            statement="The loss of the LSTM jumps where oscillations are born or die, more often than by chance",
            measure="p of the circular-shift test: rises by a quarter, from the first birth to the last, shifted by up "
            f"to {t.REACH} epochs",
            about=(LSTM,),
            value=lambda tables: t.median(t.of_model(tables["coincidences"], LSTM)["p"]),
            direction="at most",
            threshold=0.05,
        ),
    ),
    pictures=(
        Picture(
            file="orbits",
            figure="compare-orbits",
            table="orbits",
            caption="Orbit diagrams side by side: the values that the output takes under a constant input when a "
            "transient has gone, epoch after epoch, and the loss on the same axis.",
        ),
        Picture(
            file="error-horizon",
            figure="error-horizon",
            table="continuation",
            caption="How well the sine is followed beyond the length that was trained on, at the best phase: networks "
            "× inputs of the trained range that end on a closed curve or a cycle, and those that do not.",
        ),
        Picture(
            file="frequency-in-out",
            figure="frequency-in-out",
            table="frequencies",
            caption="Frequency that a network oscillates at, against the one asked for, inside the trained range "
            "(shaded) and outside.",
        ),
        t.CLAIMS_PICTURE,
    ),
    looked_at=(0, 1, 2),
    source="Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 5 (arXiv 1906.08482)",
)
