"""Documents as people write them for API Management: each must compile, and some are run to see that they do what they say.

They are our own, in the manner of published ones: raw quotes and generics in attributes, comments everywhere, strings
that hold brackets, escaped and raw text side by side, named values in the middle of things.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from aforo.policy.compile import CompileContext
from aforo.policy.standalone import check
from aforo.source import Source, has_errors, render
from tests.support.policy_case import Case, run

FOLDER = Path(__file__).parent / "policies"
FILES = sorted(p.name for p in FOLDER.glob("*.xml"))
CHAT = "POST http://gate/openai/deployments/GPT/chat/completions"
JSON = "content-type: application/json\n\n"


@pytest.mark.parametrize("name", FILES)
def test_compiles(name: str) -> None:
    source = Source(name, (FOLDER / name).read_text(encoding="utf-8"))
    found = check(source, CompileContext()).diagnostics
    assert not has_errors(found), "\n".join(render(source, d) for d in found)


def played(name: str, **parts: str | list[str]) -> list[str]:
    """The lines that a call leaves, as golden cases show them; `parts` are those of a case, `_` for a space."""
    text = (FOLDER / name).read_text(encoding="utf-8").replace("\ufeff", "")
    listed = [("policy api", text)]
    for key, given in parts.items():
        listed += [(key.replace("__", " "), each) for each in ([given] if isinstance(given, str) else given)]
    return run(Case(FOLDER / name, tuple(listed))).splitlines()


def test_a_backend_that_refuses_is_left_alone() -> None:
    lines = played(
        "balancing_over_an_array.xml",
        request=f"{CHAT}\n{JSON}{{}}",
        backend=["429 Too Many Requests\nretry-after: 7\n\n", "200 OK\n\n"],
    )
    assert [x for x in lines if x.startswith("backend:")] == [
        "backend: POST https://one.example.net/openai/deployments/GPT/chat/completions",
        "backend: POST https://two.example.net/openai/deployments/GPT/chat/completions",
    ]
    assert "  x-backend: two.example.net" in lines
    assert "variable left: int = 1" in lines


def test_strings_that_hold_brackets() -> None:
    lines = played(
        "quotes_braces_and_comments.xml", request="GET http://gate/openai/x?d=1\n\n", backend="200 OK\n\n"
    )
    assert 'variable a: str = )}]c:\\dir\\"\'"// no comment/* nor this */' in lines
    assert "variable f: str = GET" in lines
    assert "variable d: str = 1<&>" in lines
    assert "variable e: bool = True" in lines
    assert "  x-plain: mail@example.com (not an expression) & more" in lines
    assert "  body: short" in lines


def test_personal_data_is_masked() -> None:
    lines = played(
        "pii_in_prompts.xml",
        request=f'{CHAT}\n{JSON}{{"messages":[{{"role":"user","content":"I am ann@example.com, 123-45-6789"}}]}}',
        backend="200 OK\n\n",
    )
    assert '  body: {"messages":[{"role":"user","content":"I am [MAIL], [SSN]"}]}' in lines


def test_requests_are_rewritten() -> None:
    lines = played(
        "transform_requests.xml",
        request=f'{CHAT}?subscription-key=k\n{JSON}{{"messages":[{{"role":"user","content":"hi"}}],"max_tokens":9999,"stream":true,"n":3}}',
        backend='200 OK\ncontent-type: application/json\n\n{"a":1,"daily":[2]}',
    )
    shown = "\n".join(lines)
    assert "backend: POST https://api/openai/deployments/gpt/chat/completions?api-version=2024-06-01" in shown
    assert "You are a helpful assistant." in shown
    assert '"max_tokens": 4096' in shown
    assert '"include_usage": true' in shown
    assert '"n":' not in shown
    assert '"daily"' not in shown


def test_tuples_and_local_functions_pick_a_backend() -> None:
    lines = played(
        "local_functions_and_tuples.xml",
        request="GET http://gate/openai/x\n\n",
        values="weights = east=0; west=5",
        backend="200 OK\n\n",
    )
    assert "variable picked: str = west" in lines


def test_an_error_becomes_a_problem() -> None:
    lines = played("errors_as_json.xml", request="GET http://gate/openai/x\n\n", backend="200 OK\n\n")
    shown = "\n".join(lines)
    assert "response: 400" in shown
    assert '{ "status": 400, "title": "Bad Request", "trace": "' in shown


def test_entities_are_read_as_what_they_stand_for() -> None:
    lines = played(
        "escaped_throughout.xml",
        request='POST http://gate/openai/x\nx-beta: TRUE\ncontent-type: application/json\n\n{"a":4}',
        backend="200 OK\n\n",
    )
    assert "  x-json: small" in lines
    assert "  body: <b>" in lines


def test_carriage_returns_and_byte_order_marks_are_no_part_of_a_document() -> None:
    lines = played(
        "byte_order_mark_and_crlf.xml", request="GET http://gate/openai/x\n\n", backend="200 OK\n\n"
    )
    assert "  x-v: 2" in lines
