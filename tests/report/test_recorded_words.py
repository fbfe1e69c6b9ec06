"""The words of pages and of show on recorded runs, whole: whoever changes one changes it here."""

import re

import pytest

from rnnscope.cli import main
from rnnscope.findings import limit_sets
from rnnscope.findings.story import sentences

BIRTHS_AND_A_DEATH = [
    "Over the last 20 epochs the state mostly oscillates at all 10 inputs (throughout at 3).",
    "Until epoch 30 it rests at all 10 inputs; at epoch 31 it oscillates at 2 of 10 inputs, and at all 10 inputs for "
    "the first time at epoch 37.",
    "The largest loss jump is at epoch 48: 0.0409 → 0.34; at the same epoch oscillation dies at 7 of 10 inputs.",
    "In all, oscillation is born or dies 9 times, the last time at epoch 52.",
    "Where it oscillates at half or more of the last 20 epochs, the learned frequency is off the wanted one by 1 % "
    "(median over 10 inputs, wanted 0.196 to 0.393 rad/step).",
    "The loss goes from 0.469 to 0.0288.",
]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, BIRTHS_AND_A_DEATH),
        (
            {"diverging": 1, "huge": True},
            [*BIRTHS_AND_A_DEATH, "18 of 2400 orbits (0.75 %, over all epochs, inputs and starts) diverge."],
        ),
        (
            {"n_inputs": 1},
            [
                "At one input only, 0.196: over the last 20 epochs the state mostly oscillates.",
                "Until epoch 30 it rests at the one input; at epoch 31 it oscillates at the one input.",
                "The largest loss jump is at epoch 48: 0.0409 → 0.34; at the same epoch oscillation dies at the one "
                "input.",
                "At the one input that oscillates at half or more of the last 20 epochs the learned frequency is 1 % "
                "off the wanted 0.196 rad/step.",
                "The loss goes from 0.469 to 0.0288.",
            ],
        ),
    ],
)
def test_the_sentences_of_orbits(synthetic, settings, words):
    summary = synthetic.make_summary(synthetic.make_orbits(n_epochs=60, **settings))
    assert sentences(summary, synthetic.make_scalars(60)) == words


def test_the_rows_of_limit_sets(synthetic):
    table = limit_sets.table(synthetic.make_attractors(n_epochs=12, n_inputs=10))
    assert table.columns[2] == "limit set"
    assert table.kinds == ("fixed_point", "fixed_point", "closed_curve", "closed_curve")
    assert list(table.rows) == [
        ("5 – 30", "all", "fixed point", "100%", "−0.1006 ± 0.004", "|μ1| = 0.399 … 0.948"),
        ("35 – 60", "0.196 … 0.284", "fixed point", "50%", "−0.1005 ± 0.004", "|μ1| = 0.482 … 0.931"),
        ("", "", "closed curve", "50%", "−0.0004 ± 0.004", "0.196 … 0.284"),
        ("", "0.305 … 0.393", "closed curve", "100%", "−0.0005 ± 0.004", "0.305 … 0.393"),
    ]


SHOWN = """\
epochs state at 3 inputs loss holds for
0 – 6 rests ×3 # → # 100%
epochs inputs limit set starts λ1 (nat/step) |μ1|, frequency (rad/step)
0 – 6 all fixed point 100% # … # |μ1| = # … #
3 of 7 epochs looked at; what happens at the others is not known
epochs inputs in reach slowest (steps)
0 – 6 all 1 stable fixed point #
epoch λ1 (nat/step) λ2 Kaplan–Yorke dimension converged
0 # … # # … # # 12 of 12
6 # … # # … # # 12 of 12
2 of 7 epochs looked at; what happens at the others is not known
Over the last 7 epochs the state rests throughout at all 3 inputs.
At none of the 7 epochs does it oscillate at any input.
The loss goes from # to #.
"""


def test_what_show_says_of_a_run_with_every_probe_of_the_map(run_copy, capsys):
    run_copy.probe("orbits")
    run_copy.probe("attractors", epochs=3, n_starts=2, n_transient=200, n_steps=400)
    run_copy.probe("fixedpoints", epochs=6, n_starts=16)
    run_copy.probe("lyapunov", epochs=6, n_steps=200, n_exponents=2)
    with pytest.raises(SystemExit):
        main(["show", str(run_copy.path)])
    told = re.sub(r"−?\d+\.\d+", "#", capsys.readouterr().out.partition("created")[2])
    lines = [" ".join(line.split()) for line in told.splitlines()[1:]]
    assert "\n".join(line for line in lines if line) + "\n" == SHOWN
