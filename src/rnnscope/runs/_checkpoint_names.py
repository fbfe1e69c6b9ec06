"""What the names of checkpoints say: epochs, steps, losses."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

SUFFIXES = {
    ".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".tar", ".pkl", ".pickle", ".th", ".model", ".weights", ".chkpt",
    ".checkpoint", ".cpt", ".ckp", ".state", ".mdl", ".net", ".t7",
}  # fmt: skip
_EPOCH = {"epoch", "epochs", "ep", "e"}
_STEP = {"step", "steps", "iter", "iters", "iteration", "iterations", "itr", "it", "update", "updates"}
_SAVED = {"checkpoint", "ckpt", "chkpt", "ckp", "cpt", "cp", "snapshot"}
_OTHER = {
    "loss", "acc", "accuracy", "score", "ppl", "perplexity", "bleu", "err", "error", "mse", "rmse", "mae", "nll", "auc",
    "val", "valid", "train", "test", "lr", "seed", "fold", "hidden", "units", "dim", "size", "layer", "layers", "bs",
    "batch", "v", "version", "run", "trial", "exp", "experiment", "gpu", "rank", "shard", "part", "dropout", "len",
    "length", "seq", "of", "top", "params",
}  # fmt: skip
_TOTALS = {"epochs", "steps", "iters", "iterations", "updates"}  # "epochs100" may be how many there are
_UNNUMBERED = {"best", "last", "latest", "final", "newest"}
_THOUSANDS = {"": 1, "k": 1000, "m": 1_000_000}
_NUMBER = re.compile(
    r"(?P<word>[A-Za-z]*)(?P<between>[^A-Za-z0-9]*)(?P<number>\d+(?:\.\d+)?(?:[eE][-+]\d+)?)"
    r"(?P<thousands>[kKmM]?(?![A-Za-z0-9]))?"
)
_WORD_BEHIND = re.compile(r"[ _-]?(epochs?|ep|steps?|iters?|iterations?|updates?)(?![A-Za-z])(?![^A-Za-z0-9]*\d)", re.I)
_LOSS = re.compile(
    r"(?P<of>(?:train|training|val|valid|validation|test|eval)[_-]?)?loss[ =:_-]?(-?\d+\.\d+(?:[eE][-+]?\d+)?)"
)
_VALIDATION = {"val", "valid", "validation", "eval"}


@dataclass(frozen=True)
class Numbers:
    """The numbers in one name: after a word for epochs, for steps, and others with the word before each."""

    epoch: float | None = None
    step: float | None = None
    plain: tuple[tuple[str, float], ...] = ()

    @property
    def any(self) -> bool:
        return self.clear or bool(self.plain)

    @property
    def clear(self) -> bool:
        return self.epoch is not None or self.step is not None


@dataclass(frozen=True)
class _Token:
    kind: str  # "epoch", "step", "saved", "plain"
    word: str
    value: float


def read_names(labels: Sequence[Sequence[str]]) -> list[Numbers]:
    """The numbers in the names of some checkpoints.

    What all names share says nothing of any: of "lstm128-3" and "lstm128-4" the 128 is left out.

    >>> read_names([["lstm128-3"], ["lstm128-4"]])[1].plain
    (('', 4.0),)
    >>> read_names([["epoch=1-step=100-val_loss=0.21"]])[0]
    Numbers(epoch=1.0, step=100.0, plain=())

    Args:
        labels: of each checkpoint the parts of its path that tell it from others, without suffix: its own name first,
            then those of the folders that it is in.

    """
    read = [[_tokens(part) for part in label] for label in labels]
    counts = Counter(token for parts in read for token in {t for tokens in parts for t in tokens})
    shared = {token for token, count in counts.items() if count == len(labels) > 1}
    dropped = {token for token in shared if token.kind in ("saved", "plain") or token.word in _TOTALS}
    unnumbered = [bool(_UNNUMBERED & {word.lower() for word in re.findall("[A-Za-z]+", label[0])}) for label in labels]
    return [
        _numbers([[t for t in tokens if t not in dropped] for tokens in parts], clear_only=best and not all(unnumbered))
        for parts, best in zip(read, unnumbered, strict=True)
    ]


def read_losses(part: str) -> dict[str, float]:
    """Losses in a name, where they are written with a decimal point.

    >>> read_losses("epoch_1_loss_0.3000"), read_losses("epoch=3-val_loss=0.21")
    ({'loss': 0.3}, {'val_loss': 0.21})
    """
    found = {}
    for match in _LOSS.finditer(part):
        of = (match["of"] or "").rstrip("_-")
        found["val_loss" if of in _VALIDATION else f"{of}_loss" if of else "loss"] = float(match[2])
    return found


def of_weights(name: str) -> bool:
    """Whether a tensor's name is such as weights have in a state dict."""
    return "." in name or "weight" in name or "bias" in name


def without_suffixes(name: str) -> str:
    """A file's name without the suffixes that files of weights have.

    >>> without_suffixes("rollout3.pth.tar"), without_suffixes("loss_0.3000.pth")
    ('rollout3', 'loss_0.3000')
    """
    while (dot := name.rfind(".")) > 0 and name[dot:].lower() in SUFFIXES:
        name = name[:dot]
    return name


def pattern_of(name: str, value: float) -> str:
    """A regular expression that takes the last number of this value from names such as ``name``.

    >>> pattern_of("a_1_20.pt", 20)
    'a_\\\\d+_(\\\\d+)\\\\.pt'
    """
    numbers = list(re.finditer(r"\d+", name))
    chosen = max(k for k, match in enumerate(numbers) if int(match[0]) == value)
    parts, end = [], 0
    for k, match in enumerate(numbers):
        parts += [re.escape(name[end : match.start()]).replace(r"\-", "-"), r"(\d+)" if k == chosen else r"\d+"]
        end = match.end()
    return "".join([*parts, re.escape(name[end:])])


def _numbers(parts: Sequence[Sequence[_Token]], *, clear_only: bool) -> Numbers:
    """Those of the part nearest to the file, for each kind; ``clear_only``: only after a word, as of "best-2"."""
    found: dict[str, list[_Token]] = {}
    for kind in ("epoch", "step", "saved", "plain"):
        found[kind] = next((own for tokens in parts if (own := [t for t in tokens if t.kind == kind])), [])
    for kind in ("epoch", "step"):
        single = [token for token in found[kind] if token.word not in _TOTALS]
        if single:
            found[kind] = single
        if len({token.value for token in found[kind]}) > 1:
            found["saved"], found["plain"] = [], found[kind] + found["plain"]
            found[kind] = []
    plain = [] if clear_only else found["saved"] or found["plain"]
    return Numbers(
        epoch=found["epoch"][0].value if found["epoch"] else None,
        step=found["step"][0].value if found["step"] else None,
        plain=tuple({token.value: (token.word, token.value) for token in plain}.values()),
    )


def _tokens(part: str) -> list[_Token]:
    """Every number of a name that might be an epoch or a step."""
    tokens = []
    for match in _NUMBER.finditer(part):
        value = float(match["number"]) * _THOUSANDS[(match["thousands"] or "").lower()]
        if match["between"].endswith("=-"):
            value = -value
        kind, word = _kind(match, part)
        whole = value == int(value) and "." not in match["number"] and "e" not in match["number"].lower()
        if kind == "other" or (kind in ("saved", "plain") and not (whole and value < 1e8)):
            continue  # a setting, a score, a date
        tokens.append(_Token(kind, word, value))
    return tokens


def _kind(match: re.Match[str], part: str) -> tuple[str, str]:
    """What the word before a number, or behind it, says of it; and that word."""
    word = match["word"]
    last = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", word)[-1].lower() if word else ""
    glued = match.start() > 0 and part[match.start() - 1].isdigit()  # the e of 1e20 is no word
    if (last in _EPOCH and not (last == "e" and glued)) or last.endswith(("epoch", "epochs")):
        return "epoch", last
    if last in _STEP or last.endswith(("step", "steps", "iter", "iteration", "iterations")):
        return "step", last
    behind = _WORD_BEHIND.match(part, match.end())
    if behind is not None:
        word = behind[1].lower()
        return ("epoch" if word in _EPOCH else "step"), word
    if last in _OTHER:
        return "other", last
    if last in _SAVED or last.endswith(("checkpoint", "ckpt")):
        return "saved", last
    return "plain", word
