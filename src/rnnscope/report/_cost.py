"""The figures of the page that show the cost: over the epochs, over parameter space, and with the length."""

from typing import TYPE_CHECKING, Any

from rnnscope.findings.reading import stored

if TYPE_CHECKING:
    from rnnscope.runs import Run

_CAPTIONS = {
    "smoothness": "Cost, norm of its gradient, largest eigenvalue of its Hessian, and the norm of ∂x[T]/∂x[0] along "
    "the data (median over sequences, band from the smallest to the largest), on the epochs of the diagram above. "
    "Rings are eigenvalues with a residual above 0.01. These are values at the weights of each epoch, no bounds.",
    "landscape": "The cost along the path of training, between snapshots too, and on the plane of the path's first two "
    "principal axes; the ring is the last snapshot. Percentages are the shares of the path's squared distances.",
    "roughness": "The cost along a line through the last weights measured, and its local minima.",
    "growth": "How sensitivity, gradient and curvature of the cost grow with the length N of the sequence: medians "
    "over starts, bars for the middle half of them, lines for the fitted laws.",
}
_FIGURES = {"smoothness": "curvature", "landscape": "cost-plane", "roughness": "cost-line", "growth": "growth"}


def cost_figures(run: "Run", main: Any) -> list[tuple[str, Any, str]]:
    """Name, figure and caption of each probe of the cost that the run has results of; ``main`` is the orbit diagram."""
    from rnnscope import figures
    from rnnscope.findings.sentences import telling

    found = []
    for probe, name in _FIGURES.items():
        dataset = stored(run, probe)
        if dataset is None:
            continue
        figure = figures.load(name)(dataset, backend="plotly")
        if probe == "smoothness" and main is not None and main.layout.xaxis.range is not None:
            figure.update_xaxes(range=main.layout.xaxis.range)
        said = [_ended(line) for line in telling(probe).sentences(dataset) if not line.startswith(" ")]
        found.append((probe, figure, " ".join([_CAPTIONS[probe], *said])))
    return found


def _ended(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."
