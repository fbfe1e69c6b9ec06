"""The authors' random starts drawn again from their seed, and what their orbits become from there."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from rnnscope.attractors.orbits import SETTLED, Orbits
from rnnscope.base.randomness import undisturbed
from rnnscope.runs._authors_files import WORD_OUTPUTS, AuthorsFolder
from rnnscope.systems.recurrent import Description, RecurrentSystem
from rnnscope.systems.system import Weights

TOLERANCE = 1e-5
_REST = 1e-3
_WORD_IDS = (0, 16, 17, 13, 15, 22, 26, 35, 75, 25, 2, 9)


@dataclass(frozen=True)
class Replay:
    """How far orbits simulated from the imported weights are from the stored ones.

    Attributes:
        epoch: of the stored orbits that were compared, counted from 0; None where none are stored.
        compared: "orbits" (from the replayed starts), "settled orbits" (from other starts) or "nothing".
        largest_difference: over inputs and starts, of max |y - y_stored| / (1 + max |y_stored|) along the orbit: an
            orthogonal network carries the rounding of its wide starts along; None where nothing was compared.
        n_compared: number of stored orbits that were compared.
        reason: why the orbits themselves were not, or do not agree; "" where they do.

    """

    epoch: int | None
    compared: str
    largest_difference: float | None
    n_compared: int = 0
    reason: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the orbits themselves were compared and agree to 1e-5."""
        return self.compared == "orbits" and self.largest_difference is not None and not self.reason

    def words(self) -> str:
        """One line for people."""
        if self.compared == "nothing" or self.largest_difference is None:
            return f"not re-simulated: {self.reason}"
        what = f"{self.n_compared} {self.compared} of epoch {self.epoch}"
        text = f"re-simulated: largest difference {self.largest_difference:.1g} ({what})"
        return f"{text}; {self.reason}" if self.reason else text


@dataclass(frozen=True, eq=False)
class Draw:
    """What their code drew: starts (row, state), rows being input by input within each start; for words the two ids
    and the projections (projection, word)."""  # fmt: skip

    starts: Tensor
    word_ids: Tensor | None = None
    projections: Tensor | None = None


def replay_folder(folder: AuthorsFolder) -> Replay:
    """Compare the stored orbits with orbits from the replayed starts, or where these cannot be had, where both rest."""
    if folder.diagrams is None:
        return Replay(None, "nothing", None, reason="the folder has no orbits")
    epochs = folder.diagrams.epochs
    at = min(range(len(epochs)), key=lambda k: (abs(epochs[k] - folder.epoch), -k))
    stored = folder.diagrams.trajectory[..., at].permute(2, 1, 0, 3).double().numpy()
    if folder.on_cuda:
        reason = "drawn on a GPU, whose random numbers cannot be drawn again here"
    elif epochs[at] != folder.epoch:
        reason = f"the weights are of epoch {folder.epoch}, of which no orbits are stored"
    else:
        reason = _unreplayable(folder)
    if reason:
        return _compare_settled(folder, stored, epochs[at], reason)
    try:
        drawn = draw(folder)
        own = resimulate(folder, drawn)
    except (RuntimeError, ValueError) as error:
        return _compare_settled(folder, stored, epochs[at], f"the starts cannot be drawn again ({error})")
    difference = _difference(own, stored[..., : own.shape[-1]])
    n_compared = stored.shape[0] * stored.shape[1]
    if difference <= TOLERANCE:
        return Replay(epochs[at], "orbits", difference, n_compared)
    if folder.rnn_type == "exprnn":
        rounding = _difference(own, resimulate(folder, drawn, single_precision=True))
        if difference <= 10 * rounding:
            reason = f"as much as the rounding of the rotation to float32 does ({rounding:.1g})"
            return Replay(epochs[at], "orbits", difference, n_compared, reason)
    reason = f"from the replayed starts they differ by {difference:.1g}: another version of PyTorch, or of their code?"
    settled = _compare_settled(folder, stored, epochs[at], reason)
    return settled if settled.largest_difference is not None else Replay(
        epochs[at], "orbits", difference, n_compared, reason
    )  # fmt: skip


def draw(folder: AuthorsFolder) -> Draw:
    """Draw from torch's CPU generator in the order of the authors' code; the global generator is left as it was.

    1. ``torch.manual_seed(seed)``; data take nothing from this generator.
    2. Words only: the embedding.
    3. The recurrent layers. ``torch.nn``'s draw at their construction; the orthogonal one draws n/2 angles, a linear
       layer's usual weights, n biases in ±0.01, and again its input kernel, normal.
    4. The linear readout, weight and then bias.
    5. Words only: the two constant words, below the *embedding size*; then three linear layers (vocabulary → 1, 2, 12)
       of which only the second's numbers are used, replaced by uniform ones in (0, 2) drawn before the third.
    6. The starts, std · normal, of shape (layer, row, unit), row = start · n_inputs + input; for an LSTM h, then c.
    """
    core, head = folder.description.core, folder.description.head
    assert head is not None
    n_inputs = len(folder.constant_inputs or (0, 0))
    rows = n_inputs * folder.setting("n_sequences_orbit", 1)
    ids = projections = None
    with undisturbed():
        torch.manual_seed(folder.setting("seed"))
        if folder.experiment == "words":
            nn.Embedding(head.output_size, core.input_size)
        if folder.rnn_type == "exprnn":
            torch.empty(core.hidden_size // 2).uniform_(-torch.pi, torch.pi)
            kernel = nn.Linear(core.input_size, core.hidden_size, bias=False)
            torch.empty(core.hidden_size).uniform_(-0.01, 0.01)
            nn.init.kaiming_normal_(kernel.weight, nonlinearity="relu")
        else:
            getattr(nn, folder.rnn_type)(core.input_size, core.hidden_size, core.num_layers)
        nn.Linear(core.hidden_size, head.output_size)
        if folder.experiment == "words":
            ids, projections = _draw_words(head.output_size, core.input_size)
        shape = (core.num_layers, rows, core.hidden_size)
        if folder.rnn_type == "exprnn":
            shape = shape[1:]
        parts = [torch.randn(shape) for _ in range(2 if folder.rnn_type == "LSTM" else 1)]
    stacked = torch.stack([part.reshape(core.num_layers, rows, -1) for part in parts], dim=2)
    return Draw(folder.start_deviation * stacked.permute(1, 0, 2, 3).flatten(1), ids, projections)


def resimulate(folder: AuthorsFolder, drawn: Draw, *, single_precision: bool = False) -> np.ndarray:
    """Orbits (input, start, time, output) of the imported weights from drawn starts; of words the open loop only.

    ``single_precision``: the rotation of the orthogonal network is computed in float32, as their code does.
    """
    system = _system(folder, drawn.projections)
    if drawn.word_ids is not None:
        inputs = folder.weights["encoder.weight"][drawn.word_ids]
    else:
        inputs = torch.tensor(folder.constant_inputs)
    n_starts = len(drawn.starts) // len(inputs)
    rows = inputs.to(system.dtype).repeat(n_starts, 1)
    n_transient = folder.setting("burnout_orbit")
    n_steps = folder.setting("seq_len_orbit", 1)
    changed = {"weights": _rounded(system)} if single_precision else {}
    outputs = system.simulate(drawn.starts.to(system.dtype), rows, n_steps=n_steps, **changed).outputs[n_transient:]
    return outputs.unflatten(1, (n_starts, len(inputs))).permute(2, 1, 0, 3).double().numpy()


def _draw_words(n_words: int, embed_size: int) -> tuple[Tensor, Tensor]:
    ids = torch.randint(embed_size, (2, 1)).flatten()
    nn.Linear(n_words, 1, bias=False)
    nn.Linear(n_words, 2, bias=False)
    uniform = torch.empty(2, n_words).uniform_(0, 2) / n_words
    nn.Linear(n_words, len(_WORD_IDS), bias=False)
    mean = torch.full((1, n_words), 1 / n_words)
    return ids, torch.cat([mean, uniform, torch.eye(n_words)[list(_WORD_IDS)]])


def _system(folder: AuthorsFolder, projections: Tensor | None = None) -> RecurrentSystem:
    """The imported network; for words the readout is multiplied by the projections once, not at every step."""
    description, weights = folder.description, dict(folder.weights)
    if projections is not None:
        assert description.head is not None
        description = Description(core=description.core, head=replace(description.head, output_size=len(WORD_OUTPUTS)))
        for name in ("head.weight", "head.bias"):
            weights[name] = (projections.double() @ weights[name].double()).to(weights[name].dtype)
    return RecurrentSystem(description, {name: weights[name] for name in description.param_shapes()})


def _rounded(system: RecurrentSystem) -> Weights:
    """Weights of the orthogonal network with the exponential of its skew matrix taken in float32."""
    weights = system.materialise(system.params)
    upper = system.params["core.skew_l0"].triu(1)
    rotation = system.params["core.base_l0"] @ torch.linalg.matrix_exp(upper - upper.mT)
    return {**weights, "layer0": {**weights["layer0"], "state": rotation}}


def _unreplayable(folder: AuthorsFolder) -> str:
    seed = folder.settings.get("seed")
    if type(seed) is not int or seed < 0:
        return f"the seed is {seed!r}"
    head = folder.description.head
    if folder.experiment == "words" and head is not None and head.output_size <= max(_WORD_IDS):
        return f"the vocabulary of {head.output_size} words is too small for their projections"
    return ""


def _compare_settled(folder: AuthorsFolder, stored: np.ndarray, epoch: int, reason: str) -> Replay:
    """Distance from each stored orbit at rest to the nearest rest that other starts reach at that input."""
    if folder.experiment == "words":
        return Replay(epoch, "nothing", None, reason=f"{reason}; which words were held constant is not known then")
    probe = Orbits(
        inputs=folder.constant_inputs,
        starts=f"normal({folder.start_deviation!r})",
        n_starts=folder.setting("n_sequences_orbit", 1),
        n_transient=max(folder.setting("burnout_orbit"), 1000),
        n_keep=stored.shape[2],
    )
    own = probe.measure(_system(folder))
    values = own["orbit"].values.astype(float)
    resting = (own["status"].values == SETTLED) | _at_rest(values)
    differences = []
    for index, start in zip(*np.nonzero(_at_rest(stored)), strict=True):
        rests = values[index][resting[index], -1]
        if len(rests):
            last = stored[index, start, -1]
            differences.append(float((np.abs(rests - last) / (1 + np.abs(last))).max(-1).min()))
    if not differences:
        return Replay(epoch, "nothing", None, reason=f"{reason}; and no orbit rests at both")
    return Replay(epoch, "settled orbits", max(differences), len(differences), reason)


def _at_rest(orbits: np.ndarray) -> np.ndarray:
    """Whether each orbit (input, start, time, output) spreads by no more than a thousandth."""
    with np.errstate(invalid="ignore"):
        spread = np.ptp(orbits, axis=2) / (1 + np.abs(orbits.mean(2)))
    return (spread <= _REST).all(-1)


def _difference(own: np.ndarray, stored: np.ndarray) -> float:
    """Largest difference relative to the size of the orbit; infinite where only one of the two is finite."""
    finite = np.isfinite(own)
    if (finite != np.isfinite(stored)).any():
        return float("inf")
    own, stored = np.where(finite, own, 0.0), np.where(finite, stored, 0.0)
    return float((np.abs(own - stored).max((2, 3)) / (1 + np.abs(stored).max((2, 3)))).max())
