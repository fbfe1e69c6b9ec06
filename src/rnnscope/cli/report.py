"""rnnscope report RUN... -o FILE."""

from pathlib import Path

from rnnscope.cli import _options as o
from rnnscope.cli._terminal import named_warnings, out


def report(runs: o.Runs, *, output: o.Output = Path("report.html"), debug: o.Debug = False) -> None:
    """Write one self-contained page about one or several runs."""
    from rnnscope.report import write_report
    from rnnscope.runs import Run

    with named_warnings():
        out.print(str(write_report([Run(path) for path in runs], output)))
