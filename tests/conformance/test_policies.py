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


CALL = f"{CHAT}\n{JSON}"


def test_words_are_counted_and_looked_up_by_methods_as_functions() -> None:
    lines = played(
        "methods_as_functions.xml",
        request=f'{CALL}{{"messages":[{{"content":"The cat, the dog"}},{{"content":"Secret! the end secret"}}]}}',
        values="banned = secret, x",
        backend="200 OK\n\n",
    )
    assert '  x-chunks: {"words":8,"est":11,"hits":["secret"],"top":"the:3 cat,:1"}' in lines


def test_bytes_put_together_are_hashed() -> None:
    envelope = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><op><a>1</a><b/></op></e:Body></e:Envelope>"
    lines = played(
        "soap_with_username_token.xml",
        request=f"POST http://gate/openai/x\ncontent-type: text/xml\n\n{envelope}",
        values="wsse-password = p\nwsse-user = u",
        backend='200 OK\n\n<r><Item pos="2" active="true"><Id>a</Id><Price>1.50</Price></Item><Item pos="1"><Id>b</Id></Item></r>',
    )
    assert "<wsse:Username>u</wsse:Username>" in "\n".join(lines)
    assert '  body: [{"id":"b","price":null,"active":false},{"id":"a","price":1.50,"active":true}]' in lines


def test_a_table_of_text_becomes_json() -> None:
    lines = played(
        "csv_to_json.xml",
        request='POST http://gate/openai/x\n\nid,name,price\n1,"Smith, J",1.50\n\n2,,',
        backend="200 OK\n\n",
    )
    assert '  body: [{"id":1.0,"name":"Smith, J","price":1.50},{"id":2.0,"name":null,"price":null}]' in lines


def test_faults_of_soap_become_json() -> None:
    lines = played(
        "soap_by_liquid_and_faults.xml",
        request=f'{CALL}{{"order":{{"id":7,"customer":{{"name":"bob"}}}}}}',
        backend='500 X\ncontent-type: text/xml\n\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultstring>Bad "thing"</faultstring></s:Fault></s:Body></s:Envelope>',
    )
    assert "      <orderId>7</orderId>" in lines
    assert '  body: {"error":"Bad \\"thing\\""}' in lines


def test_a_signature_over_a_chain_of_keys() -> None:
    lines = played(
        "signature_of_another_cloud.xml",
        request="POST http://gate/openai/deployments/gpt-4o/chat/completions\n\n" + '{"a":1}',
        values="ak = AK\nsk = SK",
        backend="200 OK\n\n",
    )
    # Computed with Python's own hashes.
    assert "dd11b72ae7493ec86516109e7c59279a6df9f723fdb3631e6fbfdb5ce1a90f1a" in "\n".join(lines)
