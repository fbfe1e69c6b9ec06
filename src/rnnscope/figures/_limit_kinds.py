"""The colours of limit sets."""

from rnnscope.figures import _style

# What stands still, what goes round and what escapes have the colours of rests, oscillates and diverges. Any two are
# told apart under the common colour blindnesses; no eight colours are in grey.
LIMIT_COLOURS = (
    _style.RESTS, "#6b5f2e", _style.OSCILLATES, "#7db4ee", "#cc4a93", "#6fce6a", _style.DIVERGES, _style.UNDETERMINED,
)  # fmt: skip
_RESTS, _OSCILLATES, _DIVERGES, _UNDETERMINED = _style.SCREEN_COLOURS
LIMIT_SCREEN_COLOURS = (
    _RESTS, "#94873a", _OSCILLATES, "#6cbcf5", "#d67bbf", "#8fdc94", _DIVERGES, _UNDETERMINED,
)  # fmt: skip
