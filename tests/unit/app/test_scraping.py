"""`/metrics`: who may have it, and what is in it."""

from __future__ import annotations

import ast
from pathlib import Path

from starlette.applications import Starlette
from starlette.testclient import TestClient

from aforo.app import scraping
from aforo.errors import Denied, Refusal
from aforo.identity.access import Principal
from aforo.rest import on_refusal
from aforo.settings import Layout
from tests.support.calls import make_call, open_writer


async def authenticate(header: str | None) -> Principal:
    if header is None:
        raise Denied("who?", code="AuthenticationFailed")
    return Principal(header, "", header, ())


def client(root: Path) -> TestClient:
    routes = scraping.routes(Layout(root), authenticate, lambda p: p.object_id == "reader")
    return TestClient(Starlette(routes=routes, exception_handlers={Refusal: on_refusal}))


def test_figures_are_for_readers_of_the_service(tmp_path: Path) -> None:
    asking = client(tmp_path)
    assert asking.get("/metrics").status_code in (401, 403)
    assert asking.get("/metrics", headers={"authorization": "somebody"}).status_code == 403
    answer = asking.get("/metrics", headers={"authorization": "reader"})
    assert (answer.status_code, answer.text) == (200, "")  # nothing has begun yet


def test_what_is_counted_and_how_far_the_spools_are(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    writer, _ = open_writer(layout.spool / "gateway-0")
    writer.append_call(make_call())
    writer.close()
    layout.metrics.parent.mkdir(parents=True)
    layout.metrics.write_text("aforo_calls_total 5\n")
    text = client(tmp_path).get("/metrics", headers={"authorization": "reader"}).text
    assert text.startswith("aforo_calls_total 5\n")
    assert '\naforo_spool_frames_accepted_total{spool="gateway-0"} 2\n' in text  # the call, and its context
    assert '\naforo_spool_frames_pending{spool="gateway-0"} 2\n' in text


def test_every_figure_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "costs.md").read_text()
    told = 0
    for node in ast.walk(ast.parse(Path(scraping.__file__).read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "gauge":
            name, doc, label = (ast.literal_eval(argument) for argument in node.args[:3])
            assert f"| `{name}` | `{label}` | {doc} |" in text
            told += 1
    assert told > 8
