"""Liquid templates in set-body: (template, what it gives), what is refused and where, and limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from aforo.policy.elements import set_body
from tests.support.policy_case import Case, run

JSON = (
    '{"a":"x","n":1.0,"d":"2024-05-06T07:08:09Z","i":[1,2,3],"b":true,"o":{"p":"q"},"z":null,"s":"<b> 1 & 2"}'
)
XML = (
    '<s:Envelope xmlns:s="u" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body><R a="1">'
    "<item><n>1</n></item><item><n>2</n></item><one><n>3</n></one>"
    '<gone xsi:nil="true"/><t> text &amp; more </t><c><![CDATA[<raw>]]></c></R></s:Body></s:Envelope>'
)


def lines(template: str, body: str = JSON, media: str = "application/json", more: str = "") -> list[str]:
    document = (
        f'<policies><inbound><set-variable name="v" value="@(7)"/><set-body template="liquid"{more}>{template}</set-body>'
        "</inbound><backend><base/></backend><outbound/><on-error/></policies>"
    )
    request = f"POST http://gate/openai/x?q=1\ncontent-type: {media}\nx-a: 1\nx-a: 2\n\n{body}"
    parts = (("policy api", document), ("request", request), ("backend", "200 OK\n\n"))
    return run(Case(Path("case"), parts)).splitlines()


def body(template: str, *args: str) -> str:
    found = lines(template, *args)
    assert found[0].startswith("backend:"), found
    return next(x for x in found if x.startswith("  body: ")).removeprefix("  body: ")


FROM_JSON = [
    ("{{body.a}}|{{body.n}}|{{body.d}}|{{body.i}}|{{body.b}}|{{body.o.p}}|{{body.z}}|{{body.no.no}}", "x|1|05/06/2024 07:08:09|123|true|q||"),
    ("{{body.a | Upcase}}{{body.a | upcase}}{{'Ab' | Downcase}}", "XXab"),
    ('{{body.d | Date: "yyyy-MM-ddTHH:mm"}} {{"2024-02-03" | Date: "dd.MM."}} {{"no date" | Date: "yyyy"}}', "2024-05-06T07:08 03.02. no date"),
    ('{{body.i | Join: "-"}} {{body.i | First}} {{body.i | Last}} {{body.i | Size}} {{body.i.size}}', "1-2-3 1 3 3 3"),
    ("{{body.n | Plus: 2}} {{7 | DividedBy: 2}} {{7 | Modulo: 4}} {{7 | Minus: 9 | Abs}} {{2 | Times: 3}} {{2.55 | Round: 1}}", "3 3 3 2 6 2.5"),
    ('{{body.no | Default: "d"}} {{body.s | Escape}} {{body.s | StripHtml}} {{"a b" | UrlEncode}}', "d &lt;b&gt; 1 &amp; 2  1 & 2 a+b"),
    ('{{"a,b" | Split: "," | Join: "+"}} {{"abcdef" | Truncate: 5}} {{"abc" | Slice: 1, 2}} {{"aXa" | Replace: "a", "b"}}', "a+b ab... bc bXb"),
    ('{% for x in body.i %}[{{x}}{% if forloop.last %}!{% endif %}]{% endfor %}', "[1][2][3!]"),
    ('[{% JSONArrayFor x in body.i %}{{x}}{% endJSONArrayFor %}]', "[1,2,3]"),
    ('{% if body.a == "x" and body.b %}yes{% elsif body.z %}z{% else %}no{% endif %}{% unless body.z %}!{% endunless %}', "yes!"),
    ('{% case body.a %}{% when "x" %}X{% else %}?{% endcase %}{% assign y = "1" | Append: "2" %}{{y}}{% capture c %}k{% endcapture %}{{c}}', "X12k"),
    ("{% comment %}{{ no }}{% endcomment %}{% raw %}{{ raw }}{% endraw %}", "{{ raw }}"),
    ('{{context.Request.Method}} {{context.Request.OriginalUrl.Query.q}} {{context.Request.Headers["X-A"]}} {{context.Request.HasBody}} {{context.Response.StatusCode}}', "POST 1 1,2 true "),
    ('{{context.Request.OriginalUrl.Scheme}} {{context.Request.OriginalUrl.Host}} {{context.Request.OriginalUrl.QueryString}} {{context.Variables.v}}', "http gate ?q=1 7"),
    ("{{body.o}}", "[p, q]"),
    ("{{body.__class__}}{{context.__class__}}{{body.a.__class__}}{{body.i.__len__}}.", "."),
]  # fmt: skip


def test_lists_and_objects_are_not_written_as_python_does() -> None:
    data = '{"l":[1,null,true,["a",[false]],{"k":null,"m":[2.5]}]}'
    assert (
        body("{{body.l}}|{{body.l[3]}}|{{body.l[4]}}", data)
        == "1trueafalse[k, ][m, 2.5]|afalse|[k, ][m, 2.5]"
    )


@pytest.mark.parametrize(("template", "given"), FROM_JSON, ids=[t for t, _ in FROM_JSON])
def test_json(template: str, given: str) -> None:
    assert body(template) == given


FROM_XML = [
    ("{% JSONArrayFor i in body.envelope.body.R.item %}{{i.n}}{% endJSONArrayFor %}", "", "1,2"),
    ("{% for i in body.Envelope.Body.R.one %}{{i.n}}{% endfor %}", "", "3"),
    ("{{body.envelope.body.R.t}}|{{body.envelope.body.R.c}}|{{body.envelope.body.R.item.size}}", "", " text & more |<raw>|2"),
    ("{% if body.envelope.body.R.gone == null %}null{% else %}blank{% endif %}", "", "blank"),
    ("{% if body.envelope.body.R.gone == null %}null{% else %}blank{% endif %}", ' xsi-nil="null"', "null"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "more", "given"), FROM_XML)
def test_xml(template: str, more: str, given: str) -> None:
    assert body(template, XML, "text/xml", more) == given


def test_other_bodies() -> None:
    assert body("{{body}}!", "plain", "text/plain") == "plain!"
    assert body('{{body.d}} {{body.d | Date: "yyyy"}}', JSON, "application/json", ' parse-date="False"') == (
        "2024-05-06T07:08:09Z 2024"
    )


REFUSED = [
    ("{% nope %}", "unexpected tag 'nope'", 4),
    ("{{ body.a | Nope }}", "`Nope` is not a filter", 13),
    ("{{ body.a ", "`{{` is not closed", None),
    ("{% if x %}", "expected tag endif", None),
    ('{% include "x" %}', "unexpected tag 'include'", 4),
    ('{% render "x" %}', "unexpected tag 'render'", 4),
]


@pytest.mark.parametrize(("template", "reason", "column"), REFUSED, ids=[t for t, _, _ in REFUSED])
def test_refused_when_compiled(template: str, reason: str, column: int | None) -> None:
    found = lines(template)
    assert "POL0235" in found[0]
    assert reason in found[0]
    if column is not None:
        start = len('<policies><inbound><set-variable name="v" value="@(7)"/><set-body template="liquid">')
        assert found[0].startswith(f"api.xml:1:{start + column}:")


LIMITED = [
    "{% for a in (1..100000) %}{% for b in (1..100000) %}x{% endfor %}{% endfor %}",
    "{% for a in (1..99999999999) %}x{% endfor %}",
    "{% for a in (1..90000) %}{% endfor %}{% for a in (1..90000) %}y{% endfor %}",
    "{% assign x = 9 %}{% for a in (1..60) %}{% assign x = x | Times: x %}{% endfor %}{{x}}",
    '{% assign x = "ab" %}{% for a in (1..60) %}{% assign x = x | Append: x %}{% endfor %}{{x}}',
    '{% assign x = "aaaaaaaaaa" %}{% for a in (1..60) %}{% assign x = x | Replace: "a", x %}{% endfor %}{{x}}',
    "{{ (1..99999999999) | Join }}",
    "{{ 5 | DividedBy: 0 }}",
]


@pytest.mark.parametrize("template", LIMITED)
def test_limits_end_a_template(template: str) -> None:
    found = lines(template)
    assert found[0].startswith("error: set-body ExpressionValueEvaluationFailure at api/inbound set-body[1]:")


def test_a_body_that_is_not_what_it_says() -> None:
    assert lines("{{body.a}}", "{bad")[0].startswith("error: set-body ExpressionValueEvaluationFailure")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_body, "_engine", lambda: None)
    found = "\n".join(lines("{{body.a}}"))
    assert "POL0234" in found
    assert "aforo[liquid]" in found
