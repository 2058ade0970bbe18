"""`aforo demo`: a scripted region for the ha template, and the outage that is told in the README."""

from __future__ import annotations

from typing import Annotated

import typer

from aforo.cli.exits import Exit, Failure, one_of

REGIONS = ("east", "west")

app = typer.Typer(
    name="demo",
    help="See the gateway at work: scripted regions, and what happens when one of them dies.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("region")
def region(
    name: Annotated[str, typer.Argument(help="east or west, as the ha template calls them.")],
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="0 picks a free one. Default: where the ha template expects it."),
    ] = None,
) -> None:
    """Serve one scripted region on 127.0.0.1 until Ctrl-C. Its key is its name; it has the deployment gpt-4o."""
    one_of("NAME", name, REGIONS)
    from aforo.app.region import serve
    from aforo.control.lab import REGION_PORTS
    from aforo.errors import Refusal

    wanted = REGION_PORTS[name] if port is None else port
    try:
        serve(name, "127.0.0.1", wanted, lambda at: _tell(name, at))
    except Refusal as refusal:
        raise Failure(refusal.message, code=Exit.FAILED) from refusal


def _tell(name: str, port: int) -> None:
    print(f"Region {name} answers on http://127.0.0.1:{port}. Ctrl-C ends it.", flush=True)
