"""rnnscope resume RUN."""

from rnnscope.cli import _options as o
from rnnscope.cli._terminal import named_warnings
from rnnscope.cli.train import tell, train_with_progress


def resume(run: o.Run, *, json: o.Json = False, debug: o.Debug = False) -> None:
    """Go on with a training that was interrupted or killed."""
    from rnnscope.base.errors import RunError
    from rnnscope.runs import Run
    from rnnscope.training import Config

    if "training" not in Run(run).config:
        raise RunError(
            f"{run}: it was recorded from a loop of someone's own; Recorder(path, model, resume=True) goes on with it"
        )
    with named_warnings():
        tell(train_with_progress(Config.assemble(file=run / "config.toml"), run, resume=True), json=json)
