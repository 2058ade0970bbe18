"""Desired state: what is wrong is told with file, line and column; what is right changes the system, and only that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from aforo.control.apply import read_desired, referenced_files
from aforo.control.commit import Found
from aforo.control.lab import lab_yaml
from aforo.errors import Invalid, NotFound
from aforo.snapshot.snapshot import Bundle
from aforo.source import Diagnostic, Source, Span
from tests.support.control_door import Bench

SMALL = """\
resourceGroup: rg-activategenai
services:
  apim-activategenai:
    sku: {name: Standard}
    publisherName: Contoso
    publisherEmail: a@b.example
    apis:
      echo:
        path: echo
        operations:
          get: {method: GET, urlTemplate: /}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def told(bench: Bench, text: str, **files: str) -> list[str]:
    """First line of each diagnostic."""
    change = bench.door.attempt(bench.read(text, **files))
    assert change.items == ()
    return [str(m).splitlines()[0] for m in change.mistakes]


def with_(addition: str) -> str:
    return SMALL + addition


def deep_by_aliases() -> str:
    """Four anchored lists, each forty levels deep around the one before: only followed is it too deep."""
    levels = [f"a{n}: &a{n} {'[' * 40}{f'*a{n - 1}' if n else 'x'}{']' * 40}" for n in range(4)]
    return "\n".join(levels) + "\n"


def bomb() -> str:
    """Nine lists, each nine times the one before: 400 million entries in 500 bytes."""
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 9)}]" for n in range(9)]
    return "\n".join(levels) + "\n"


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", "aforo.yaml:1:1: error YAML0005: the file is empty"),
        ("- a\n", "aforo.yaml:1:1: error YAML0005: an aforo.yaml is a map: `resourceGroup: ...` and so on"),
        ("a: [1,\n", "aforo.yaml:2:1: error YAML0001: this is not YAML: did not find expected node content"),
        ("resourceGroup: rg\nresourceGroup: rg\n", "aforo.yaml:2:1: error YAML0004: 'resourceGroup' is given twice"),
        ("location: x\n", "aforo.yaml:1:1: error YAML0006: 'resourceGroup' is required"),
        ("resourceGroup: rg\nservice: {}\n", "aforo.yaml:2:1: error YAML0007: key 'service' is not known here"),
        (with_("    api: {}\n"), "aforo.yaml:12:5: error YAML0007: property 'api' is not known here"),
        (with_("      b: {path: echo}\n").replace("          get", "          get"), "aforo.yaml:12:7: error Conflict: api 'echo' has path echo already"),
        (SMALL.replace("path: echo", "path: [echo]"), "aforo.yaml:9:15: error ValidationError: a text is expected here, not a list"),
        (SMALL.replace("path: echo", "path: 5"), "aforo.yaml:9:15: error ValidationError: a text is expected here, not 5"),
        (SMALL.replace("name: Standard", "name: Gold"), "aforo.yaml:4:17: error ValidationError: 'Gold' is none of the values that 'name' may have"),
        (SMALL.replace("sku: {name: Standard}", "location: here"), "aforo.yaml:3:3: error ValidationError: 'sku' is required here"),
        (SMALL.replace("urlTemplate: /", "urlTemplate: '/{a/b'"), "aforo.yaml:11:43: error ValidationError: the braces in '/{a/b' do not pair"),
        (with_("    products:\n      p: {displayName: P, apis: [nothing]}\n"), "aforo.yaml:13:34: error ReferenceNotFound: there is no api 'nothing'"),
        (with_("    subscriptions:\n      s:\n        scope: /products/none\n"), "aforo.yaml:14:16: error ReferenceNotFound: there is no product 'none'"),
        (with_("    namedValues:\n      v: {value: '${accounts.x.endpoint}'}\n"), "aforo.yaml:13:18: error ValidationError: ${accounts.x.endpoint}: there is no account 'x'"),
        (with_("    caches:\n      c: {connectionString: 'a:b', useFromLocation: b}\n"), "aforo.yaml:13:29: error ValidationError: the port of the cache is a number"),
        (with_("    policy: {file: gone.xml}\n"), "aforo.yaml:12:20: error FileNotFound: there is no file 'gone.xml' beside aforo.yaml"),
        (with_("      b: {path: b, import: carried:azure-openai}\n"), "aforo.yaml:12:28: error DescriptionNotFound: no API description called 'azure-openai' is carried"),
        (with_("      b: {path: b, import: petstore}\n"), "aforo.yaml:12:28: error YAML0008: 'petstore' is nothing to import: write carried:NAME, file:PATH or a URL"),
        (with_("      b: {path: b, import: 'file:page.html'}\n"), "aforo.yaml:12:28: error NotOpenApi: page.html is an HTML page, not an OpenAPI description"),
        ("a: &a [*a]\n", "aforo.yaml:1:8: error YAML0003: the alias *a stands inside of what it names"),
        ("a: " + "[" * 3000 + "]" * 3000, "aforo.yaml:1:67: error YAML0010: lists and maps are nested deeper than 64 here"),
        ("a: " + "[" * 200_000, "aforo.yaml:1:67: error YAML0010: lists and maps are nested deeper than 64 here"),
        ("".join(f"{' ' * n}k:\n" for n in range(3000)), "aforo.yaml:65:65: error YAML0010: lists and maps are nested deeper than 64 here"),
        (deep_by_aliases(), "aforo.yaml:1:33: error YAML0010: lists and maps are nested deeper than 64 here"),
        (bomb(), "aforo.yaml:1:19: error YAML0003: aliases (*name) repeat too much here"),
        (with_("    tags: !!python/object/apply:os.system [ls]\n"), "aforo.yaml:12:11: error YAML0011: the tag '!!python/object/apply:os.system' is not known here"),
        (with_("    tags: {a: !mine b}\n"), "aforo.yaml:12:15: error YAML0011: the tag '!mine' is not known here"),
        (with_("    tags: {a: !!binary aGVsbG8=}\n"), "aforo.yaml:12:15: error YAML0011: the tag '!!binary' is not known here"),
        (with_("    tags: {a: .nan}\n"), "aforo.yaml:12:15: error YAML0002: .nan is no finite number"),
        (with_("    tags: {a: -.inf}\n"), "aforo.yaml:12:15: error YAML0002: -.inf is no finite number"),
        (with_("    tags: {a: 9999-99-31}\n"), "aforo.yaml:12:15: error YAML0002: this is no value: month must be in 1..12"),
        (with_("    namedValues: [a]\n"), "aforo.yaml:12:18: error YAML0008: a map of names to their properties is expected below 'namedValues'"),
    ],
)  # fmt: skip
def test_bad_input_is_told_with_its_place(bench: Bench, text: str, first: str) -> None:
    found = told(bench, text, page__html="<!DOCTYPE html><html></html>")
    assert found
    assert found[0].startswith(first), found
    assert len(bench.door.graph) == 0


def test_every_mistake_of_a_file_is_told_at_once(bench: Bench) -> None:
    text = SMALL.replace("path: echo", "pth: echo").replace("method: GET", "method: 1")
    found = told(bench, text)
    assert [line.split(" ")[0] for line in found] == [
        "aforo.yaml:9:9:",
        "aforo.yaml:8:7:",
        "aforo.yaml:11:25:",
    ]


def test_a_mistake_shows_the_line_with_a_caret_and_a_hint(bench: Bench) -> None:
    change = bench.door.attempt(
        bench.read(SMALL.replace("path: echo", "serviceURl2: http://x\n        path: echo"))
    )
    assert str(change.mistakes[0]) == (
        "aforo.yaml:9:9: error YAML0007: property 'serviceURl2' is not known here\n"
        "            serviceURl2: http://x\n"
        "            ^^^^^^^^^^^\n"
        "    hint: did you mean 'serviceUrl' or 'termsOfServiceUrl'?"
    )


def test_the_refusal_names_place_and_every_detail(bench: Bench) -> None:
    with pytest.raises(Invalid) as caught:
        bench.apply(SMALL.replace("path: echo", "path: 5").replace("Standard", "Gold"))
    assert [d.target for d in caught.value.details] == ["aforo.yaml:4:17", "aforo.yaml:9:15"]
    assert "aforo.yaml:4:17" in caught.value.message


def test_changing_it_and_applying_again_changes_the_system(bench: Bench) -> None:
    bench.apply(SMALL)
    change = bench.apply(SMALL.replace("path: echo", "path: ping"))
    assert [(i.action, i.id.rpartition("/")[2], i.detail) for i in change.items] == [
        ("update", "echo", "path: echo -> ping")
    ]
    assert bench.published[-1][0].apis[0].subject.path == "ping"
    assert bench.published[-1][0].version == 2


def test_a_dry_run_says_and_does_nothing(bench: Bench) -> None:
    bench.apply(SMALL)
    change = bench.apply(SMALL.replace("path: echo", "path: ping"), dry_run=True)
    assert len(change.items) == 1
    assert bench.door.revision == 1
    assert len(bench.published) == 1
    assert bench.door.graph.get(bench.id("apis", "echo")).properties["path"] == "echo"  # type: ignore[union-attr]


def test_what_the_file_no_longer_names_goes_what_others_made_stays(bench: Bench) -> None:
    bench.apply(with_("    namedValues:\n      mine: {value: a}\n"))
    bench.door.put(bench.id("namedValues", "other"), {"properties": {"value": "b"}})
    change = bench.apply(SMALL)
    assert [(i.action, i.id.rpartition("/")[2]) for i in change.items] == [("delete", "mine")]
    assert bench.door.graph.get(bench.id("namedValues", "other")) is not None


def test_what_is_still_used_does_not_go(bench: Bench) -> None:
    policy = '    policy: <policies><inbound><set-header name="x"><value>{{v}}</value></set-header></inbound></policies>\n'
    bench.apply(with_(f"    namedValues:\n      v: {{value: a}}\n{policy}"))
    with pytest.raises(Invalid) as caught:
        bench.apply(with_(policy))
    assert caught.value.details[0].message == (
        "named value 'v' cannot be deleted: global policy 'apim-activategenai/policy' uses it"
    )
    bench.apply(SMALL)
    assert bench.door.graph.get(bench.id("namedValues", "v")) is None


def test_a_broken_file_prunes_nothing(bench: Bench) -> None:
    bench.apply(with_("    namedValues:\n      v: {value: a}\n"))
    assert told(bench, SMALL.replace("path: echo", "path: 5"))
    assert bench.door.graph.get(bench.id("namedValues", "v")) is not None


def test_keys_outlive_an_apply_that_does_not_name_them(bench: Bench) -> None:
    text = with_("    subscriptions:\n      s: {scope: /apis, state: active}\n")
    bench.apply(text)
    before = bench.door.require(bench.id("subscriptions", "s")).properties
    bench.apply(text.replace("state: active", "state: suspended"))
    after = bench.door.require(bench.id("subscriptions", "s")).properties
    assert after["primaryKey"] == before["primaryKey"]
    assert after["createdDate"] == before["createdDate"]
    assert after["state"] == "suspended"


def test_an_operation_of_an_import_may_get_a_policy(bench: Bench) -> None:
    text = with_(
        """\
      ai:
        path: openai
        import: carried:azure-openai-2023-05-15
        operations:
          ChatCompletions_Create:
            policy: <policies><inbound><base /></inbound></policies>
"""
    )
    bench.apply(text)
    api = bench.published[-1][0].apis[1]
    chat = next(o for o in api.operations if o.subject.id == "ChatCompletions_Create")
    assert chat.policy is not None
    assert chat.subject.url_template.startswith("/deployments/{deployment-id}/chat/completions")
    assert len(api.operations) == 24


@dataclass(frozen=True)
class Problem:
    source: Source
    diagnostic: Diagnostic


def refuse_boom(bundle: Bundle) -> Iterable[Found]:
    """Finds the word `boom` in policies, as a compiler finds a mistake."""
    named = (
        ("policy.xml", bundle.global_policy),
        *((f"apis/{a.subject.id}/policy.xml", a.policy) for a in bundle.apis),
    )
    for name, text in named:
        at = text.find("boom") if text else -1
        if text and at >= 0:
            yield Problem(Source(name, text), Diagnostic("POL0007", "boom is no policy", Span(at, at + 4)))


BLOCK = """\
    policy: |
      <policies>
        <inbound>
          <boom />
        </inbound>
      </policies>
"""


@pytest.mark.parametrize(
    ("addition", "files", "place"),
    [
        (BLOCK, {}, "aforo.yaml:15:12"),
        ("    policy: <policies><inbound><boom /></inbound></policies>\n", {}, "aforo.yaml:12:33"),
        ("    policy: {file: p.xml}\n", {"p__xml": "<policies>\n <inbound><boom />\n"}, "p.xml:2:12"),
        ("    policy: '<policies>\n\n      <boom />'\n", {}, "aforo.yaml:12:13"),
    ],
)
def test_a_bad_policy_is_told_where_it_stands(
    tmp_path: Path, addition: str, files: dict[str, str], place: str
) -> None:
    bench = Bench(tmp_path, build=refuse_boom)
    bench.apply(SMALL)
    change = bench.door.attempt(bench.read(with_(addition), **files))
    assert [str(m.place) for m in change.mistakes] == [place]
    assert change.mistakes[0].code == "POL0007"
    assert change.rejected
    assert bench.door.revision == 1
    assert len(bench.published) == 1


def test_reading_from_a_folder(bench: Bench, tmp_path: Path) -> None:
    import asyncio

    folder = tmp_path / "state"
    folder.mkdir()
    with pytest.raises(Invalid, match=r"holds no aforo\.yaml"):
        asyncio.run(read_desired(folder, bench.resolve()))
    (folder / "aforo.yaml").write_text(with_("    policy: {file: policies/global.xml}\n"))
    (folder / "policies").mkdir()
    (folder / "policies" / "global.xml").write_text("<policies />")
    desired = asyncio.run(read_desired(folder, bench.resolve()))
    assert desired.mistakes == ()
    assert [w.body["properties"]["value"] for w in desired.resources if w.kind.singleton] == ["<policies />"]
    (folder / "aforo.yaml").write_text(with_("    policy: {file: ../../secret.xml}\n"))
    (mistake,) = asyncio.run(read_desired(folder, bench.resolve())).mistakes
    assert mistake.code == "FileNotAllowed"
    with pytest.raises(NotFound):
        asyncio.run(read_desired(tmp_path / "absent.yaml", bench.resolve()))


def test_other_forms_are_refused_by_name(bench: Bench, tmp_path: Path) -> None:
    import asyncio

    (tmp_path / "apis" / "a").mkdir(parents=True)
    (tmp_path / "apis" / "a" / "apiInformation.json").write_text("{}")
    with pytest.raises(Invalid, match="APIOps"):
        asyncio.run(read_desired(tmp_path, bench.resolve()))
    template = tmp_path / "main.json"
    template.write_text(
        '{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"}'
    )
    with pytest.raises(Invalid, match="ARM template"):
        asyncio.run(read_desired(template, bench.resolve()))


def test_files_that_a_state_takes_texts_from() -> None:
    text = 'policy: {file: a/b.xml}\nother:\n  file: "c.xml"\nimport: file:spec.json\nimport: carried:x\n'
    assert referenced_files(text) == ["a/b.xml", "c.xml", "spec.json"]
    assert referenced_files(lab_yaml().partition("services:")[0]) == []


def test_aliases_do_not_blow_up(bench: Bench) -> None:
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 9))
    found = told(bench, f"resourceGroup: rg\nl0: &l0 [x]\n{levels}")
    assert any("repeat too much" in line for line in found)


def test_names_may_be_exchanged_in_one_change(bench: Bench) -> None:
    text = SMALL + "      other: {path: other}\n"
    bench.apply(text)
    bench.apply(
        text.replace("path: echo", "path: x")
        .replace("path: other", "path: echo")
        .replace("path: x", "path: other")
    )
    paths = {a.subject.id: a.subject.path for a in bench.published[-1][0].apis}
    assert paths == {"echo": "other", "other": "echo"}
    bench.apply(text.replace("other: {", "third: {").replace("path: echo", "path: new"))
    assert [a.subject.path for a in bench.published[-1][0].apis] == ["new", "other"]


def test_no_representation_shows_what_was_written(bench: Bench) -> None:
    desired = bench.read(SMALL + "    namedValues:\n      v: {value: hush-hush, secret: true}\n    bad: 1\n")
    shown = [
        repr(desired),
        repr(desired.resources),
        repr(desired.mistakes),
        repr(desired.resources[-1].places),
    ]
    assert not any("hush-hush" in text for text in shown)
