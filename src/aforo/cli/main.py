"""The program: its commands, and how it ends. Commands import their machinery when they run, so that help is fast."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from aforo.cli import apply, chat, init, policy, query, status, up
from aforo.cli.exits import Exit, Failure

app = typer.Typer(
    name="aforo",
    help="A gateway for language models that measures, limits, routes and records every call, and answers KQL about them.",
    no_args_is_help=True,
    # Rich would double the time that `--help` takes.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


app.command("up")(up.up)
app.command("init")(init.init)
app.command("apply")(apply.apply)
app.command("export")(apply.export)
app.command("query")(query.query)
app.command("chat")(chat.chat)
app.command("status")(status.status)
app.add_typer(policy.app, name="policy")


def main() -> None:
    """Runs the command line and ends the process with one of `exits.Exit`."""
    try:
        app()
    except Failure as failure:
        print(f"aforo: {failure.message}", file=sys.stderr)
        if failure.hint:
            print(f"  {failure.hint}", file=sys.stderr)
        sys.exit(failure.code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away (`| head`); Python would complain once more while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.FAILED)


if __name__ == "__main__":
    main()
