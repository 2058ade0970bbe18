"""The program: its commands, and how it ends. Commands import their machinery when they run, so that help is fast."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from aforo.cli.apply import apply, export
from aforo.cli.chat import chat
from aforo.cli.demo import app as demo
from aforo.cli.doctor import doctor
from aforo.cli.exits import Exit, Failure
from aforo.cli.init import init
from aforo.cli.policy import app as policy
from aforo.cli.query import query
from aforo.cli.restart import restart
from aforo.cli.status import status
from aforo.cli.up import up

app = typer.Typer(
    name="aforo",
    help="A gateway for language models that measures, limits, routes and records every call, and answers KQL about them.",
    no_args_is_help=True,
    # Rich would double the time that `--help` takes.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
WITHOUT_OPTIMIZING = "Python was told to leave out parts of programs (-O, -OO or PYTHONOPTIMIZE) that Aforo needs; start it without."


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"aforo {version('aforo')}")
        raise typer.Exit


@app.callback()
def _program(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app.command("up")(up)
app.command("init")(init)
app.command("apply")(apply)
app.command("export")(export)
app.command("query")(query)
app.command("chat")(chat)
app.command("status")(status)
app.command("restart")(restart)
app.command("doctor")(doctor)
app.add_typer(policy, name="policy")
app.add_typer(demo, name="demo")


def main() -> None:
    """Runs the command line and ends the process with one of `exits.Exit`."""
    if sys.flags.optimize:  # the .NET that policies see is declared in docstrings, and asserts read on
        print(f"aforo: {WITHOUT_OPTIMIZING}", file=sys.stderr)
        sys.exit(Exit.USAGE)
    code = _run()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _let_go()
    except OSError as error:
        code = code or _unwritten(error)
    sys.exit(code)


def _run() -> int:
    """The exit code of the command. A reader of the output who has enough (`| head`) is no failure."""
    try:
        app()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # what the framework makes of one
            _let_go()
            return Exit.OK
        return ended.code if isinstance(ended.code, int) else Exit.OK if ended.code is None else Exit.FAILED
    except Failure as failure:
        print(f"aforo: {failure.message}", file=sys.stderr)
        if failure.hint:
            print(f"  {failure.hint}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _let_go()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _unwritten(error)
    return Exit.OK


def _unwritten(error: OSError) -> int:
    _let_go()
    print(f"aforo: the output cannot be written: {error.strerror}.", file=sys.stderr)
    return Exit.FAILED


def _let_go() -> None:
    """What is still to be written goes nowhere; Python would complain once more while it shuts down."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    main()
