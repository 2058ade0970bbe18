"""What expressions see of Newtonsoft.Json: declarations over json.py."""

from __future__ import annotations

from typing import Any, Final

from aforo.csharp.runtime import converting as c
from aforo.csharp.runtime import json as j
from aforo.csharp.runtime import json_around as w
from aforo.csharp.runtime import json_build as b
from aforo.csharp.runtime import json_convert as v
from aforo.csharp.runtime import json_many as m
from aforo.csharp.runtime import json_merge as g
from aforo.csharp.runtime import json_parse as r
from aforo.csharp.runtime import json_paths as p
from aforo.csharp.types import Declared, TypeDecl, declare, enumeration, member

_LINQ: Final = "Newtonsoft.Json.Linq"

# What has an implicit conversion to JToken (and so to a JProperty's value), and an explicit one back.
_SCALARS: Final = (
    ("int", "Int32", c.to_int), ("long", "Int64", c.to_long), ("bool", "Boolean", c.to_bool),
    ("double", "Double", c.to_double), ("decimal", "Decimal", c.to_decimal), ("float", "Single", c.to_single),
    ("uint", "UInt32", c.to_uint), ("ulong", "UInt64", c.to_ulong), ("short", "Int16", c.to_short),
    ("ushort", "UInt16", c.to_ushort), ("byte", "Byte", c.to_byte), ("sbyte", "SByte", c.to_sbyte),
    ("DateTime", "DateTime", c.to_date), ("DateTimeOffset", "DateTimeOffset", c.to_offset),
    ("Guid", "Guid", c.to_guid), ("TimeSpan", "TimeSpan", c.to_span),
)  # fmt: skip


def _cast(name: str, run: Any) -> Any:
    def cast(token: j.JToken | None) -> Any:
        return v.cast_token(token, name, run)

    cast.__qualname__ = f"token_to_{name}"
    return cast


def _cast_nullable(name: str, run: Any) -> Any:
    def cast(token: j.JToken | None) -> Any:
        return v.cast_token_nullable(token, name, run)

    cast.__qualname__ = f"token_to_{name}_or_null"
    return cast


def _conversions() -> tuple[Declared, ...]:
    out = [
        member("implicit JToken(string value)", b.implicit_value),
        member("explicit string?(JToken value)", v.to_text),
        member("implicit JToken(byte[] value)", b.implicit_value),
    ]
    for name, net, run in _SCALARS:
        out.append(member(f"implicit JToken({name} value)", b.implicit_value))
        out.append(member(f"implicit JToken({name}? value)", b.implicit_value))
        out.append(member(f"explicit {name}(JToken value)", _cast(net, run)))
        out.append(member(f"explicit {name}?(JToken value)", _cast_nullable(net, run)))
    return tuple(out)


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "JToken",
        *_conversions(),
        member("static JToken Parse(string json)", r.parse_token),
        member("static JToken FromObject(object o)", b.from_object),
        member("static bool DeepEquals(JToken t1, JToken t2)", w.deep_equals),
        member("JToken? this[object key]", j.at_key, store=j.set_at),
        member("JTokenType Type", j.token_type),
        member("bool HasValues", j.has_values),
        member("JToken? First", j.first),
        member("JToken? Last", j.last),
        member("JToken? Parent", j.parent),
        member("JToken? Next", w.next_token),
        member("JToken? Previous", w.previous_token),
        member("IEnumerable<JToken> AfterSelf()", w.after_self),
        member("IEnumerable<JToken> BeforeSelf()", w.before_self),
        member("IEnumerable<JToken> Ancestors()", w.ancestors),
        member("IEnumerable<JToken> AncestorsAndSelf()", w.ancestors_and_self),
        member("void AddAfterSelf(object content)", w.add_after),
        member("void AddBeforeSelf(object content)", w.add_before),
        member("JToken Root", w.root),
        member("string Path", w.path),
        member("string ToString()", j.token_text),
        member("string ToString(Formatting formatting, params object[] converters)", j.token_text_formatted),
        member("T? Value<T>(object key)", v.value_at, typed=True),
        member("T? ToObject<T>()", v.to_object, typed=True),
        member("object? ToObject(Type objectType)", v.to_object_of),
        member("JToken? SelectToken(string path)", p.select_token),
        member("JToken? SelectToken(string path, bool errorWhenNoMatch)", p.select_token),
        member("IEnumerable<JToken> SelectTokens(string path)", p.select_tokens),
        member(
            "IEnumerable<JToken> SelectTokens(string path, bool errorWhenNoMatch)", p.select_tokens_or_fail
        ),
        member("JEnumerable<JToken> Children()", j.children),
        member("JEnumerable<T> Children<T>()", j.children_of, typed=True),
        member("IEnumerable<T> Values<T>()", v.values_of, typed=True),
        member("JEnumerable<JToken> Values()", w.values),
        member("JEnumerable<JToken> Values(object key)", w.values_at),
        member("IEnumerable<T> Values<T>(object key)", w.values_as, typed=True),
        member("JToken DeepClone()", j.deep_clone),
        member("void Remove()", b.remove_self),
        member("void Replace(JToken value)", b.replace_self),
        namespace=_LINQ,
        bases=("IEnumerable<JToken>",),
        python=j.JToken,
    ),
    declare(
        "JEnumerable<T>",
        member("JEnumerable<JToken> this[object key]", m.at),
        namespace=_LINQ,
        kind="interface",
        bases=("IEnumerable<T>",),
        python=list,
        aliases=("IJEnumerable",),
    ),
    declare(
        "JContainer",
        member("int Count", j.size),
        member("void Add(object content)", b.container_add),
        member("void RemoveAll()", b.remove_all),
        member("void AddFirst(object content)", w.add_first),
        member("void ReplaceAll(object content)", w.replace_all),
        member("void Merge(object content)", g.merge),
        member("void Merge(object content, JsonMergeSettings settings)", g.merge),
        member("IEnumerable<JToken> DescendantsAndSelf()", w.descendants_and_self),
        member("IEnumerable<JToken> Descendants()", j.descendants),
        namespace=_LINQ,
        bases=("JToken",),
        python=j.JContainer,
    ),
    declare(
        "JObject",
        member("new()", b.make_object),
        member("new(JObject other)", b.copy_object),
        member("new(params object[] content)", b.make_object),
        member("static JObject Parse(string json)", r.parse_object),
        member("static JObject FromObject(object o)", b.object_from),
        member("JToken? this[string propertyName]", j.object_at, store=j.set_at),
        member("void Add(string propertyName, JToken value)", b.object_add),
        member("bool Remove(string propertyName)", b.object_remove),
        member("bool ContainsKey(string propertyName)", j.contains_key),
        member("JToken? GetValue(string propertyName)", j.get_value),
        member("JToken? GetValue(string propertyName, StringComparison comparison)", j.get_value),
        member("bool TryGetValue(string propertyName, out JToken value)", j.try_get_value),
        member(
            "bool TryGetValue(string propertyName, StringComparison comparison, out JToken value)",
            w.try_get_with,
        ),
        member("JProperty? Property(string name)", j.object_property),
        member("JProperty? Property(string name, StringComparison comparison)", w.property_with),
        member("JEnumerable<JToken> PropertyValues()", w.property_values),
        member("IEnumerable<JProperty> Properties()", j.properties),
        namespace=_LINQ,
        bases=("JContainer", "IEnumerable<KeyValuePair<string, JToken>>"),
        python=j.JObject,
    ),
    declare(
        "JArray",
        member("new()", b.make_array),
        member("new(JArray other)", b.copy_array),
        member("new(params object[] content)", b.make_array),
        member("new(object content)", b.make_array_of),
        member("static JArray Parse(string json)", r.parse_array),
        member("static JArray FromObject(object o)", b.array_from),
        member("JToken this[int index]", j.at_key, store=j.set_at),
        member("void Add(JToken item)", b.container_add),
        member("void Insert(int index, JToken item)", b.array_insert),
        member("void RemoveAt(int index)", b.array_remove_at),
        member("bool Remove(JToken item)", b.array_remove),
        member("int IndexOf(JToken item)", w.index_of),
        member("bool Contains(JToken item)", w.contains),
        member("void Clear()", b.clear),
        namespace=_LINQ,
        bases=("JContainer", "IList<JToken>"),
        python=j.JArray,
    ),
    declare(
        "JProperty",
        member("new(string name, object content)", b.make_property),
        member("new(string name, params object[] content)", b.make_property_many),
        member("string Name", j.property_name),
        member("JToken Value", j.property_value, store=b.set_value),
        namespace=_LINQ,
        bases=("JContainer",),
        python=j.JProperty,
    ),
    declare(
        "JValue",
        member("new(object value)", b.make_value),
        member("new(JValue other)", b.make_value),
        member("static JValue CreateString(string value)", w.make_text),
        member("static JValue CreateNull()", w.make_null),
        member("object? Value", j.scalar_value, store=b.set_scalar),
        member("int CompareTo(JValue obj)", w.compare_to),
        member("bool Equals(object obj)", w.value_equals),
        member("int GetHashCode()", w.value_hash),
        member("string ToString(string format)", j.JValue.text),
        namespace=_LINQ,
        bases=("JToken",),
        python=j.JValue,
    ),
    declare(
        "JRaw",
        member("new(object rawJson)", w.make_raw),
        member("new(JRaw other)", w.copy_raw),
        namespace=_LINQ,
        bases=("JValue",),
        python=j.JRaw,
    ),
    declare(
        "JConstructor",
        member("new(string name, params object[] content)", w.make_constructor),
        member("string Name", attr="name", store=w.set_constructor_name),
        namespace=_LINQ,
        bases=("JContainer",),
        python=j.JConstructor,
    ),
    declare(
        "JsonMergeSettings",
        member("new()", g.MergeSettings),
        member("MergeArrayHandling MergeArrayHandling", attr="arrays", store=g.set_arrays),
        member("MergeNullValueHandling MergeNullValueHandling", attr="nulls", store=g.set_nulls),
        namespace=_LINQ,
        python=g.MergeSettings,
    ),
    enumeration("MergeArrayHandling", g.ArrayHandling, _LINQ),
    enumeration("MergeNullValueHandling", g.NullHandling, _LINQ),
    declare(
        "JTokenType",
        *(
            member(f"static JTokenType {'None' if v is j.JTokenType.Nothing else v.name}", const=v)
            for v in j.JTokenType
        ),
        namespace=_LINQ,
        kind="enum",
        python=j.JTokenType,
        default=j.JTokenType.Nothing,
    ),
    declare(
        "JTokens",
        member("static U? Value<U>(this JToken value)", v.value_of, typed=True),
        member("static JEnumerable<JToken> Values(this IEnumerable<JToken> source)", m.values_of_each),
        member("static JEnumerable<JToken> Values(this IEnumerable<JToken> source, object key)", m.at),
        member("static IEnumerable<U> Values<U>(this IEnumerable<JToken> source)", m.values_as, typed=True),
        member(
            "static IEnumerable<U> Values<U>(this IEnumerable<JToken> source, object key)",
            m.at_as,
            typed=True,
        ),
        member("static JEnumerable<JToken> Children(this IEnumerable<JToken> source)", m.children_of_each),
        member(
            "static JEnumerable<JProperty> Properties(this IEnumerable<JObject> source)", m.children_of_each
        ),
        member("static JEnumerable<JToken> AsJEnumerable(this IEnumerable<JToken> source)", m.same),
        namespace=_LINQ,
        kind="static",
        aliases=("Extensions",),
    ),
    declare(
        "Formatting",
        member("static Formatting None", const=j.Formatting.Plain),
        member("static Formatting Indented", const=j.Formatting.Indented),
        namespace="Newtonsoft.Json",
        kind="enum",
        python=j.Formatting,
        default=j.Formatting.Plain,
    ),
    declare(
        "JsonConvert",
        member("static string SerializeObject(object value)", v.serialize),
        member("static string SerializeObject(object value, Formatting formatting)", v.serialize),
        member("static string ToString(object value)", w.json_text),
        member("static T? DeserializeObject<T>(string value)", v.deserialize, typed=True),
        member("static object? DeserializeObject(string value)", v.deserialize_object),
        member("static object? DeserializeObject(string value, Type type)", v.deserialize_of),
        namespace="Newtonsoft.Json",
        kind="static",
    ),
)
