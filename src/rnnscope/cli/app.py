"""The commands, their help, and how errors end."""

import os
import shlex
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from rnnscope import __version__, tasks
from rnnscope.base.errors import FolderTakenError, RnnscopeError
from rnnscope.cli._arrays import KINDS

_HELP = """See the attractors of a recurrent network appear, move and die while it trains.

A first look: rnnscope demo. Then: rnnscope train sine, rnnscope probe orbits RUN, rnnscope report RUN -o report.html.
Everything is kept in a run folder (runs/TASK-MODEL-SEED), and is there for Python too: rnnscope.Run("runs/demo")."""

_COMMANDS = {
    "demo": "Train a small LSTM on sine waves, record it, and show which attractors it had when.\n\n"
    "Example: rnnscope demo --seed 3 --run runs/demo-3",
    "train": f"Train a network on a task ({', '.join(tasks.names())}) and record it.\n\n"
    "Common settings: n_epochs, learning_rate, max_gradient_norm, schedule, hidden_size, num_layers, task.length, "
    "batch_size; a wrong name lists all.\n\n"
    "Example: rnnscope train sine --model gru --set n_epochs=300\n\n"
    "Over seeds: rnnscope train sine --seeds 5 --workers 2 (the same command goes on with what was interrupted)",
    "resume": "Go on with a training that was interrupted or killed.\n\nExample: rnnscope resume runs/sine-lstm-0",
    "probe": "Ask at every recorded epoch of runs what the map does, or how rough its cost is; measures only "
    "what is missing.\n\nExample: rnnscope probe orbits runs/sine-lstm-0 --epochs 10 --workers 2",
    "data": "Give a run the data that probes of its cost and visited states need, or say which it has.\n\n"
    "Example: rnnscope data runs/mine --inputs u.npy --targets y.npy --loss squared-error\n\n"
    f"Files: {KINDS}; FILE:NAME where one holds several arrays, as in --inputs data.npz:u --targets data.npz:y",
    "show": "Say what is in a run and what happened in it; of several runs, what holds over the seeds.\n\n"
    "Example: rnnscope show runs/demo",
    "figure": "Draw one figure of a run, of several side by side, or of a study, into a file (png, svg, pdf or html)."
    "\n\n"
    "Example: rnnscope figure orbit-diagram runs/demo -o orbits.pdf\n\n"
    "With settings of the figure: rnnscope figure orbit-diagram runs/demo -o two.pdf --set 'inputs=[0,9]' "
    "--set 'value_range=[-1,1]' (a wrong name lists all)\n\n"
    "Of a study: rnnscope figure claims runs/sine-quick -o claims.pdf",
    "reproduce": "Repeat an experiment of the papers: train over seeds, measure, draw, and decide its claims. The same "
    "command goes on with what was interrupted.\n\n"
    "Example: rnnscope reproduce sine --seeds 3:8; rnnscope reproduce chaotic-lstm --compile",
    "import": "Make a run of checkpoints that exist already, or of a result folder of the paper's authors' code.\n\n"
    "Example: rnnscope import 'ckpt/*.pt' --model mine.networks:make --run runs/mine\n\n"
    "A folder, as of Lightning or transformers, will do too: rnnscope import output --model mine.networks:make",
    "report": "Write one self-contained page about one or several runs.\n\n"
    "Example: rnnscope report runs/sine-lstm-0 runs/sine-gru-0 -o report.html",
    "runs": "List the runs in a folder.\n\nExample: rnnscope runs runs --json",
}


def build_app() -> App:
    """The command line as a cyclopts App; commands are loaded when they are called, so that help is quick."""
    app = App(name="rnnscope", help=_HELP, version=__version__, help_format="plaintext")
    for name, help in _COMMANDS.items():
        home = {"import": "import_"}.get(name, name)
        app.command(f"rnnscope.cli.{home}:{home}", name=name, help=help)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Exit status: 0 done, 2 wrong use or bad input, 130 interrupted, 1 a defect of rnnscope."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    app = build_app()
    app.suppress_keyboard_interrupt = False
    try:
        app(arguments, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        if debug:
            raise
        message = " ".join(str(error).split())
        _fail(f"{message}\nHelp: rnnscope --help, rnnscope COMMAND --help", status=2)
    except KeyboardInterrupt:
        if debug:
            raise
        _fail("interrupted; what was recorded and measured is kept", status=130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (RnnscopeError, ValueError, OSError) as error:
        if debug:
            raise
        _fail(_message(error, arguments), status=2)
    except Exception as error:
        if debug:
            raise
        _fail(
            f"{type(error).__name__}: {error}\nThis is a defect of rnnscope; --debug shows where it arose",
            status=1,
        )


def _message(error: BaseException, arguments: Sequence[str]) -> str:
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        kept = arguments[:1] and arguments[0] in ("train", "resume", "probe", "demo", "reproduce")
        return f"{place}{error.strerror}" + (". What was recorded before is whole" if kept else "")
    if isinstance(error, FolderTakenError):
        return f"{error.path} {error.problem}; {_remedies(error, arguments)}"
    return str(error)


def _remedies(error: FolderTakenError, arguments: Sequence[str]) -> str:
    """What will do in this command: the error itself says it for Python."""
    remedies = ["choose another folder with --run"]
    if arguments[:1] and arguments[0] in ("train", "demo"):
        remedies += [f"go on with it: {shlex.join(['rnnscope', 'resume', str(error.path)])}"] * error.resumable
    if arguments[:1] and arguments[0] in ("train", "demo", "import"):
        remedies += ["replace it with --overwrite"] * error.replaceable
    return ", or ".join(remedies)


def _fail(message: str, *, status: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
