"""The sine study: which networks learn to generate a sine, and which go on generating it.

Source: Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 5 (sine generation); settings of ``paper`` from their
companion code.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from rnnscope.attractors import Attractors
from rnnscope.experiments import _tables as t
from rnnscope.experiments._continuation import Continuation
from rnnscope.experiments._description import Claim, Measurement, Picture, Preset, Study, Tables, Trained
from rnnscope.training import Config

LSTM, STABLE, ORTHOGONAL = "lstm", "stable-lstm", "orthogonal"
GOES_ON = 0.1  # phase-free squared error of the last window; a constant zero output has 0.5
WIDER = 0.5  # of the trained range, on either side of it


def measurements(
    orbits_every: Mapping[str, int], attractors_every: Mapping[str, int]
) -> Callable[[Config], Mapping[str, Measurement]]:
    """What is measured, at every so many recorded epochs of each model; at the last also outside the trained range."""

    def of(config: Config) -> Mapping[str, Measurement]:
        model = config.model["name"]
        last = [config.training["n_epochs"]]
        asked = tuple(asked_frequencies(config).tolist())
        wide = Attractors(inputs=[[value] for value in asked], n_starts=4)
        going_on = Continuation(frequencies=asked, length=config.task["length"])
        return {
            "orbits": Measurement(probe="orbits", epochs=orbits_every[model]),
            "attractors": Measurement(probe="attractors", epochs=attractors_every[model]),
            "wide-attractors": Measurement(probe=wide, epochs=last),
            "continuation": Measurement(probe=going_on, epochs=last),
        }

    return of


def asked_frequencies(config: Config) -> np.ndarray:
    """31 inputs, from half the width of the trained range below it to half its width above it."""
    lowest, highest = config.task["lowest"], config.task["highest"]
    margin = WIDER * (highest - lowest)
    return np.linspace(lowest - margin, highest + margin, 31)


def networks_found(networks: Sequence[Trained]) -> xr.Dataset:
    """One number for each network and question."""
    return t.numbers(
        networks,
        loss=("final training loss", "1", t.last_scalar("loss")),
        one_fixed_point=("epochs × inputs with one fixed point alone", "share", t.share_of_one_fixed_point),
        no_attractor=("inputs without an attractor at the end", "share", t.share_without_attractor),
    )


def continuation_found(networks: Sequence[Trained]) -> xr.Dataset:
    """Errors window by window, and at which inputs there is a closed curve: (run, input, window)."""
    parts = []
    for network in networks:
        found = network.found("continuation").isel(step=-1, drop=True)
        curves = t.closed_curves(network.found("wide-attractors").isel(step=-1))
        task, values = network.config.task, found["input_value"].values
        inside = (values >= task["lowest"] - 1e-9) & (values <= task["highest"] + 1e-9)
        parts.append(found.assign(closed_curve=("input", curves)).assign_coords(inside=("input", inside)))
    return t.over_runs(networks, parts)


def frequencies_found(networks: Sequence[Trained]) -> xr.Dataset:
    """Learned against wanted frequency, inside and outside the trained range: (run, input)."""
    table = continuation_found(networks)[["learned_frequency", "closed_curve"]].rename(input_value="wanted_frequency")
    task = networks[0].config.task
    return table.assign(trained_lowest=((), task["lowest"]), trained_highest=((), task["highest"]))


def share_with_curve_of_those_that_go_on(tables: Tables) -> float:
    """Of all networks × inputs of the trained range that follow the sine to the end, the share with a closed curve."""
    found = tables["continuation"]
    follows = (found["phase_free_error"].isel(window=-1) < GOES_ON).values & found["inside"].values
    return t.ratio(found["closed_curve"].values[follows].sum(), follows.sum())


def share_of_curves_that_go_on(tables: Tables) -> float:
    """Of all networks × inputs of the trained range with a closed curve, the share that follow the sine to the end."""
    found = tables["continuation"]
    curves = found["closed_curve"].values & found["inside"].values
    follows = (found["phase_free_error"].isel(window=-1) < GOES_ON).values
    return t.ratio(follows[curves].sum(), curves.sum())


def frequency_error(tables: Tables, *, inside: bool) -> float:
    """Median of |learned - wanted| / wanted over the inputs at which the LSTM oscillates, %."""
    found = t.of_model(tables["frequencies"], LSTM)
    chosen = found.isel(input=np.flatnonzero(found["inside"].values == inside))
    wanted = chosen["wanted_frequency"]
    return t.median(100 * abs(chosen["learned_frequency"] - wanted) / wanted)


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
            n_seeds=3,
            measurements=measurements(
                orbits_every={LSTM: 1, STABLE: 10, ORTHOGONAL: 2},
                attractors_every={LSTM: 100, STABLE: 20, ORTHOGONAL: 100},
            ),
        ),
        "paper": Preset(
            task_preset="paper",
            n_seeds=5,
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
            statement="Only networks with a closed-curve attractor go on generating the sine",
            measure="share with a closed curve of the networks × inputs whose squared error at the best phase is "
            f"below {GOES_ON:g} at 10 training lengths",
            value=share_with_curve_of_those_that_go_on,
            direction="at least",
            threshold=0.95,
        ),
        Claim(
            name="curves-go-on",
            statement="Networks with a closed-curve attractor do go on",
            measure=f"share of the networks × inputs with a closed curve whose error is below {GOES_ON:g} then",
            value=share_of_curves_that_go_on,
            direction="at least",
            threshold=0.8,
        ),
        Claim(
            name="stable-one-point",
            statement="The stable LSTM has exactly one attractor, a fixed point, at every input and epoch",
            measure="share of measured epochs × inputs at which that is so",
            value=lambda tables: t.median(t.of_model(tables["networks"], STABLE)["one_fixed_point"]),
            direction="at least",
            threshold=1.0,
        ),
        Claim(
            name="stable-fails",
            statement="The stable LSTM does not learn to generate the sine",
            measure="its final training loss; 0.5 is what a constant zero output gets",
            value=lambda tables: t.median(t.of_model(tables["networks"], STABLE)["loss"]),
            direction="at least",
            threshold=0.25,
        ),
        Claim(
            name="orthogonal-fits",
            statement="The orthogonal RNN fits the sine within the training length",
            measure="its final training loss; 0.5 is what a constant zero output gets",
            value=lambda tables: t.median(t.of_model(tables["networks"], ORTHOGONAL)["loss"]),
            direction="at most",
            threshold=0.1,
        ),
        Claim(
            name="orthogonal-no-attractor",
            statement="The orthogonal RNN does so without an attractor",
            measure="share of inputs at which it has nothing but a continuum of neutral orbits after training",
            value=lambda tables: t.median(t.of_model(tables["networks"], ORTHOGONAL)["no_attractor"]),
            direction="at least",
            threshold=0.9,
        ),
        Claim(
            name="frequency-inside",
            statement="Inside the trained range the LSTM oscillates at the wanted frequency",
            measure="median relative error of its frequency there, %",
            value=lambda tables: frequency_error(tables, inside=True),
            direction="at most",
            threshold=2.0,
        ),
        Claim(
            name="frequency-outside",
            statement="Outside the trained range the LSTM oscillates at the wanted frequency too",
            measure="median relative error of its frequency there, %",
            value=lambda tables: frequency_error(tables, inside=False),
            direction="at most",
            threshold=5.0,
        ),
        Claim(
            name="jumps-at-events",
            statement="Loss jumps of the LSTM coincide with births and deaths of oscillations more than by chance",
            measure="p of the circular-shift test from the first birth to the end of training",
            value=lambda tables: t.median(t.of_model(tables["coincidences"], LSTM)["p"]),
            direction="at most",
            threshold=0.05,
        ),
        Claim(
            name="rises-at-events",
            statement="While oscillations come and go, the loss rises by a quarter where they do, more than by chance",
            measure="p of the circular-shift test between the first birth and the last; this claim was formed on the "
            "seeds 0 to 2 and has to hold at others",
            value=lambda tables: t.median(t.of_model(tables["coincidences"], LSTM)["rises_p"]),
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
            "× inputs of the trained range with a closed curve, and without.",
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
    source="Ribeiro, Tiels, Aguirre & Schön, AISTATS 2020, section 5 (arXiv 1906.08482)",
)
