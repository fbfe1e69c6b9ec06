"""Pages and summary tables: what happened in a run, in words, numbers and figures.

``write_report`` makes one self-contained page of one or several runs; ``story`` has the words and numbers on their
own, as the command line prints them; ``compare_runs`` says what holds over seeds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnscope.report import story as story
    from rnnscope.report._write import write_report as write_report
    from rnnscope.report.comparison import compare_runs as compare_runs

_HOMES = {"compare_runs": "rnnscope.report.comparison", "write_report": "rnnscope.report._write"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "story":
        return import_module("rnnscope.report.story")
    raise AttributeError(f"module 'rnnscope.report' has no attribute {name!r}; it has {', '.join(__dir__())}")


def __dir__() -> list[str]:
    return ["compare_runs", "story", "write_report"]
