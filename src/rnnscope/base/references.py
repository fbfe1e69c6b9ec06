"""The papers behind what is measured, as results cite them."""

ATTRACTORS_AND_SMOOTHNESS = (
    "Ribeiro, Tiels, Aguirre & Schön, Beyond exploding and vanishing gradients: analysing RNN training using "
    "attractors and smoothness, AISTATS 2020 (PMLR 108, 2370-2380; arXiv 1906.08482)."
)
SMOOTHNESS_OF_IDENTIFICATION = (
    "Ribeiro, Tiels, Umenberger, Schön & Aguirre, On the smoothness of nonlinear system identification, "
    "Automatica 121, 2020 (arXiv 1905.00820)."
)
