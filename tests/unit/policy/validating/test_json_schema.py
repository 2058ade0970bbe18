"""JSON Schema keyword by keyword: a value that fits, one that does not; and what a hostile value or schema may cost."""

from __future__ import annotations

from typing import Any

import pytest

from aforo.policy.validating.json_schema import MOST_ERRORS, NoSchema, mistakes


def valid(schema: Any, value: Any, **options: Any) -> bool:
    return not mistakes(schema, schema, value, **options)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, [1, 1.0, -5], [1.5, "1", True, None]),
        ({"type": "number"}, [1, 1.5], ["1", True]),
        ({"type": "boolean"}, [True], [0, "true"]),
        ({"type": ["string", "null"]}, ["", None], [1]),
        ({"type": "string", "nullable": True}, ["a", None], [1]),
        ({"type": "null"}, [None], [0, ""]),
        ({"enum": [1, "a", [1], {"b": None}]}, [1, 1.0, "a", [1], {"b": None}], [True, "b", [True], {}]),
        ({"const": 0}, [0, 0.0], [False, None]),
        ({"minimum": 1, "maximum": 3}, [1, 2.5, 3, "x"], [0.9, 4]),
        ({"minimum": 1, "exclusiveMinimum": True}, [1.1], [1]),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, [2], [1, 3]),
        ({"maximum": 3, "exclusiveMaximum": True}, [2.9], [3]),
        ({"multipleOf": 0.1}, [0.3, 1], [0.35]),
        ({"multipleOf": 7}, [49, 7 * 10**30], [50, 7 * 10**30 + 1]),
        ({"type": "integer", "format": "int32"}, [2**31 - 1, -(2**31)], [2**31]),
        ({"type": "integer", "format": "int64"}, [2**63 - 1], [2**63]),
        ({"minLength": 2, "maxLength": 3}, ["ab", "äöü", "😀😀"], ["a", "abcd"]),
        ({"pattern": "^a+$"}, ["aaa", 5], ["b", ""]),
        ({"pattern": "b"}, ["abc"], ["ac"]),
        ({"format": "date-time"}, ["2026-07-01T12:00:00Z", "2026-07-01t12:00:00.123+02:00"], ["2026-07-01", "soon"]),
        ({"format": "date"}, ["2026-02-28"], ["2026-02-30", "1.2.2026"]),
        ({"format": "uuid"}, ["11111111-2222-3333-4444-555555555555"], ["1"]),
        ({"format": "ipv4"}, ["10.0.0.1"], ["10.0.0"]),
        ({"format": "email"}, ["a@b.c"], ["a"]),
        ({"format": "of our own"}, ["anything"], []),
        ({"items": {"type": "integer"}}, [[], [1, 2]], [[1, "2"]]),
        ({"items": [{"type": "integer"}, {"type": "string"}], "additionalItems": False}, [[1, "a"], [1]], [["a"], [1, "a", 2]]),
        ({"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, [[1, "a"]], [["a"], [1, 2]]),
        ({"minItems": 1, "maxItems": 2}, [[1]], [[], [1, 2, 3]]),
        ({"uniqueItems": True}, [[1, 2], [{"a": 1}, {"a": 2}]], [[1, 1], [{"a": 1, "b": 2}, {"b": 2, "a": 1}]]),
        ({"contains": {"const": 1}}, [[0, 1]], [[0], []]),
        ({"required": ["a"]}, [{"a": None}, 5], [{}, {"A": 1}]),
        ({"properties": {"a": {"type": "integer"}}}, [{"a": 1}, {"b": "x"}], [{"a": "x"}]),
        ({"properties": {"a": {}}, "additionalProperties": False}, [{"a": 1}, {}], [{"b": 1}]),
        ({"additionalProperties": {"type": "integer"}}, [{"a": 1}], [{"a": "x"}]),
        ({"patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": False}, [{"x-a": "b"}], [{"x-a": 1}, {"y": "b"}]),
        ({"propertyNames": {"maxLength": 2}}, [{"ab": 1}], [{"abc": 1}]),
        ({"minProperties": 1, "maxProperties": 2}, [{"a": 1}], [{}, {"a": 1, "b": 1, "c": 1}]),
        ({"dependencies": {"a": ["b"]}}, [{"a": 1, "b": 1}, {}], [{"a": 1}]),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, [{"a": 1, "b": 1}], [{"a": 1}]),
        ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, [2], [0, 4]),
        ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, ["a", 6], [4]),
        ({"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}]}, [2, 3], [6, 5]),
        ({"not": {"type": "string"}}, [1], ["a"]),
        ({"if": {"type": "integer"}, "then": {"minimum": 5}, "else": {"minLength": 2}}, [5, "ab"], [4, "a"]),
        ({"$defs": {"x": {"type": "string"}}, "$ref": "#/$defs/x"}, ["a"], [1]),
        ({"definitions": {"a/b~c": {"const": 1}}, "$ref": "#/definitions/a~1b~0c"}, [1], [2]),
        (True, [1, None], []),
        (False, [], [1, None]),
        ({"title": "t", "description": "d", "example": 5, "x-mine": 1, "discriminator": {}}, [1, "a"], []),
    ],
)  # fmt: skip
def test_keyword(schema: Any, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert valid(schema, value), value
    for value in bad:
        assert not valid(schema, value), value


NODE = {
    "$ref": "#/$defs/node",
    "$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}, "v": {"type": "integer"}}}},
}


def test_a_schema_may_refer_to_itself() -> None:
    assert valid(NODE, {"v": 1, "next": {"v": 2, "next": {}}})
    assert mistakes(NODE, NODE, {"next": {"next": {"v": "x"}}}) == [
        "Expected integer but got string. Path 'next.next.v'."
    ]


def test_additional_properties_are_overridden() -> None:
    strict = {"properties": {"a": {}}, "additionalProperties": False}
    assert valid(strict, {"b": 1}, additional=True)
    open_ = {"properties": {"a": {"properties": {"c": {}}}}}
    assert valid(open_, {"a": {"d": 1}})
    assert not valid(open_, {"b": 1}, additional=False)
    assert not valid(open_, {"a": {"d": 1}}, additional=False)
    assert valid({}, {"b": 1}, additional=False), "a schema without properties says nothing of them"


def test_without_additional_properties_a_composed_schema_knows_what_its_parts_know() -> None:
    schema = {
        "allOf": [{"$ref": "#/$defs/base"}, {"properties": {"b": {}}}],
        "anyOf": [{"properties": {"c": {}}}, {}],
        "$defs": {"base": {"properties": {"a": {}}}},
    }
    assert valid(schema, {"a": 1, "b": 1, "c": 1}, additional=False)
    assert not valid(schema, {"d": 1}, additional=False)


def test_names_in_any_case() -> None:
    schema = {
        "required": ["userId"],
        "properties": {"userId": {"type": "integer"}},
        "additionalProperties": False,
    }
    assert valid(schema, {"USERID": 1}, fold_case=True)
    assert not valid(schema, {"USERID": "x"}, fold_case=True)
    assert not valid(schema, {"USERID": 1})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/nothing"},
        {"$ref": "https://elsewhere.example/schema"},
        {"$ref": "#"},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"pattern": "("},
        {"properties": 5} | {"unevaluatedProperties": False},
        {"items": 5},
        "text",
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: Any) -> None:
    found = []
    for value in ("a", [1], {"a": 1}):
        try:
            mistakes(schema, schema, value)
        except NoSchema as error:
            found.append(str(error))
    assert found


def test_a_catastrophic_pattern_ends() -> None:
    with pytest.raises(NoSchema, match="too long"):
        mistakes({}, {"pattern": "^(a|aa)+$"}, "a" * 80 + "b")


def test_a_value_that_fans_out_ends() -> None:
    schema: dict[str, Any] = {"const": "never"}
    for _ in range(24):
        schema = {"anyOf": [schema, schema]}
    with pytest.raises(NoSchema, match="too long"):
        mistakes(schema, schema, "x")


def test_only_the_first_mistakes_are_told() -> None:
    assert len(mistakes({}, {"items": {"type": "string"}}, list(range(1000)))) == MOST_ERRORS


def test_deep_values_end() -> None:
    value: Any = 1
    for _ in range(300):
        value = {"next": value}
    with pytest.raises(NoSchema, match="nested"):
        mistakes(NODE, NODE, value)
