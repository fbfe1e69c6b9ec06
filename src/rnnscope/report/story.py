"""What happened while a network trained, as plain data and plain words, from a summary of orbits.

The names by which rnnscope.findings has this for Python: ``phases``, ``events``, ``headline``, and ``sentences``.
"""

from rnnscope.findings.events import Event as Event
from rnnscope.findings.events import LossJump as LossJump
from rnnscope.findings.events import events as events
from rnnscope.findings.orbits import Counts as Counts
from rnnscope.findings.orbits import Headline as Headline
from rnnscope.findings.orbits import OrbitPhase as Phase  # noqa: F401
from rnnscope.findings.orbits import headline as headline
from rnnscope.findings.orbits import phases as phases
from rnnscope.findings.story import sentences as sentences
