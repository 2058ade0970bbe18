"""JSON trees: what is around a token, paths, merging; (expression, text) after Newtonsoft's documentation."""

from __future__ import annotations

import re

import pytest

from tests.support.expressions import evaluate, thrown

# The document of Newtonsoft's SelectToken samples.
_STORES = (
    "JObject.Parse(\"{'Stores':['Lambton Quay','Willis Street'],'Manufacturers':["
    "{'Name':'Acme Co','Products':[{'Name':'Anvil','Price':50}]},"
    "{'Name':'Contoso','Products':[{'Name':'Elbow Grease','Price':99.95},{'Name':'Headlight Fluid','Price':4}]}]}\")"
)


def _expanded(text: str) -> str:
    """`O[...]O` is a JSON object."""
    return re.sub(r"O\[(.*?)\]O", lambda m: f'JObject.Parse("{m[1]}")', text)


VALUES = [
    # Integers of any size keep their digits (JsonTextReader makes a BigInteger of them).
    ('JObject.Parse("{\\"a\\":12345678901234567890123}").ToString(Formatting.None)', '{"a":12345678901234567890123}'),
    ('JObject.Parse("{\\"a\\":[18446744073709551615,-9223372036854775809]}")["a"].ToString(Formatting.None)', "[18446744073709551615,-9223372036854775809]"),
    ('JToken.Parse("\\"12345678901234567890123\\"").Type', "String"),
    # SelectToken samples of Newtonsoft's documentation.
    (f'(string){_STORES}.SelectToken("Manufacturers[0].Name")', "Acme Co"),
    (f'(decimal){_STORES}.SelectToken("Manufacturers[0].Products[0].Price")', "50"),
    (f'(string){_STORES}.SelectToken("Manufacturers[1].Products[0].Name")', "Elbow Grease"),
    (f"{_STORES}.SelectToken(\"$.Manufacturers[?(@.Name == 'Acme Co')]\")[\"Products\"][0][\"Name\"]", "Anvil"),
    (f'string.Join("|", {_STORES}.SelectTokens("$..Products[?(@.Price >= 50)].Name"))', "Anvil|Elbow Grease"),
    (f'(string){_STORES}.SelectToken("Stores[0]") + {_STORES}.SelectTokens("Manufacturers[*].Name").Count()', "Lambton Quay2"),
    (f'{_STORES}.SelectToken("Manufacturers[1].Products[1].Price").Path', "Manufacturers[1].Products[1].Price"),
    # Filters, slices, unions, descent.
    (f'string.Join("|", {_STORES}.SelectTokens("$..Name"))', "Acme Co|Anvil|Contoso|Elbow Grease|Headlight Fluid"),
    (f"{_STORES}.SelectTokens(\"$..Products[?(@.Price > 10 && @.Name != 'Anvil' || @.Price == 4)]\").Count()", "2"),
    (f'{_STORES}.SelectTokens("$..[?(@.Price)]").Count()', "3"),
    (f'{_STORES}.SelectToken("$..Products[?(@.Name =~ /^elbow/i)].Price")', "99.95"),
    ('string.Join(",", JToken.Parse("[1,2,3,4,5]").SelectTokens("[1:3]")) + JToken.Parse("[1,2,3]").SelectTokens("[0,2]").Count() + JToken.Parse("[1,2,3]").SelectToken("[-1:]")', "2,323"),
    ("O[{'a b':{'c.d':1}}]O.SelectToken(\"['a b']['c.d']\")", "1"),
    ("O[{'a':[{'b':[1,2]},{'b':[3]}]}]O.SelectTokens(\"a[?(@.b[0] == 3)]\").Count()", "1"),
    ("O[{'limit':2,'a':[{'v':1},{'v':3}]}]O.SelectToken(\"$.a[?(@.v > $.limit)].v\")", "3"),
    ("O[{'a':1}]O.SelectToken(\"b.c\") == null", "True"),
    # Parents are properties: the idiom that takes a property away.
    ("{ var o = O[{'a':{'b':1,'c':2}}]O" '; o.SelectToken("a.b").Parent.Remove(); return o.ToString(Formatting.None); }', '{"a":{"c":2}}'),
    ("{ var o = O[{'a':[1,2,3]}]O" '; o["a"][1].Remove(); o["a"][0].Replace("x"); return o.ToString(Formatting.None); }', '{"a":["x",3]}'),
    ("((JProperty)O[{'a':{'b':1}}]O[\"a\"][\"b\"].Parent).Name", "b"),
    ("string.Join(\"|\", O[{'a':{'b':1}}]O[\"a\"][\"b\"].Ancestors().Select(t => t.Type))", "Property|Object|Property|Object"),
    ("O[{'a':1,'b':2}]O.Property(\"a\").Next.ToString() + O[{'a':1}]O.First.Previous", '"b": 2'),
    ('JArray.Parse("[1,2,3]")[1].Next.ToString() + JArray.Parse("[1,2,3]")[1].Previous + JArray.Parse("[1,2,3]")[0].AfterSelf().Count()', "312"),
    ("{ var o = O[{'b':1}]O" '; o.AddFirst(new JProperty("a", 0)); o.Property("b").AddAfterSelf(new JProperty("c", 2)); return o.ToString(Formatting.None); }', '{"a":0,"b":1,"c":2}'),
    ('{ var a = new JArray(2); a.AddFirst(1); a[1].AddAfterSelf(3); a.Insert(0, 0); return a.ToString(Formatting.None) + a.IndexOf(a[2]) + a.Contains(a[0]); }', "[0,1,2,3]2True"),
    ("string.Join(\",\", O[{'a':1,'b':[2,{'c':3}]}]O.DescendantsAndSelf().OfType<JProperty>().Select(p => p.Name))", "a,b,c"),
    ("O[{'A':1}]O.Property(\"a\", StringComparison.OrdinalIgnoreCase).Value.ToString() + (O[{'A':1}]O.TryGetValue(\"a\", StringComparison.OrdinalIgnoreCase, out var v) ? v : null)", "11"),
    ("O[{'a':1,'b':2}]O.PropertyValues().Select(v => (int)v).Sum() + O[{'a':1,'b':2}]O.Values<int>().Max()", "5"),
    ("JArray.Parse(\"[{'a':1},{'a':2},{}]\").Values<int>(\"a\").Sum()", "3"),
    # Merge, with the document of its sample.
    (
        "{ var o = O[{'FirstName':'John','LastName':'Smith','Enabled':false,'Roles':['User']}]O; var s = new JsonMergeSettings(); s.MergeArrayHandling = MergeArrayHandling.Union; o.Merge(O[{'Enabled':true,'Roles':['User','Operator']}]O, s); return o.ToString(Formatting.None); }",
        '{"FirstName":"John","LastName":"Smith","Enabled":true,"Roles":["User","Operator"]}',
    ),
    ("{ var o = O[{'a':[1],'n':1}]O; o.Merge(O[{'a':[2],'n':null}]O); return o.ToString(Formatting.None); }", '{"a":[1,2],"n":1}'),
    ("{ var o = O[{'a':[1,2]}]O; var s = new JsonMergeSettings(); s.MergeArrayHandling = MergeArrayHandling.Replace; o.Merge(O[{'a':[3]}]O, s); return o.ToString(Formatting.None); }", '{"a":[3]}'),
    # Values, raw JSON, constructors, objects of .NET.
    ('new JValue(1).CompareTo(new JValue(2)) + "" + new JValue("a").Equals(new JValue("a")) + JValue.CreateNull().Type', "-1TrueNull"),
    ('new JObject(new JProperty("a", new JRaw("{ \\"b\\":1 }")), new JProperty("c", new JConstructor("Date", 1, "x"))).ToString(Formatting.None)', '{"a":{ "b":1 },"c":new Date(1,"x")}'),
    ('JsonConvert.ToString("a\\"b") + JsonConvert.ToString(true)', '"a\\"b"true'),
    ('JObject.FromObject(new { a = 1, b = new { c = new List<string> { "x" } }, d = new Dictionary<string, int> { { "k", 2 } } }).ToString(Formatting.None)', '{"a":1,"b":{"c":["x"]},"d":{"k":2}}'),
    ("O[{'a':1,'b':'x','c':{'d':true}}]O.ToObject<Dictionary<string, object>>().Select(k => k.Key + k.Value.ToString().Length).Count()", "3"),
    ("string.Join(\",\", O[{'a':['x','y']}]O[\"a\"].ToObject<string[]>())", "x,y"),
]  # fmt: skip

THROWN = [
    (f'{_STORES}.SelectToken("$..Name")', "JsonException"),
    (f'{_STORES}.SelectToken("Nope", true)', "JsonException"),
    (f'{_STORES}.SelectToken("Stores[9]", true)', "JsonException"),
    (f'{_STORES}.SelectToken("Stores[")', "JsonException"),
    (f'{_STORES}.SelectToken("Stores[?(@.a ==")', "JsonException"),
    (f'{_STORES}.SelectToken("a b")', "JsonException"),
    (f'{_STORES}.SelectToken("$" + new string(\'(\', 9999))', "JsonException"),
    (f'{_STORES}.SelectToken("$[?(" + new string(\'(\', 9999))', "JsonException"),
    ('{ var o = new JObject(new JProperty("a", 1)); o["a"].Remove(); return o; }', "JsonException"),
    ("{ new JObject().Remove(); return 1; }", "InvalidOperationException"),
    ('{ var o = new JObject(new JProperty("a", 1)); o.AddFirst(new JProperty("a", 2)); return o; }', "ArgumentException"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "result"), VALUES, ids=[t for t, _ in VALUES])
def test_trees(text: str, result: str) -> None:
    assert evaluate(_expanded(text)) == result


@pytest.mark.parametrize(("text", "name"), THROWN, ids=[t for t, _ in THROWN])
def test_tree_exceptions(text: str, name: str) -> None:
    assert thrown(_expanded(text)) == name


def test_numbers_that_json_does_not_know() -> None:
    """Json.NET, FloatFormatHandling: their names as texts are what is written unless something else is asked for."""
    for text, result in (
        ('JObject.Parse("{\\"a\\":1e400,\\"b\\":-1e400}").ToString(Formatting.None)', '{"a":"Infinity","b":"-Infinity"}'),
        ('JToken.Parse("[NaN,Infinity,-Infinity,null]").ToString(Formatting.None)', '["NaN","Infinity","-Infinity",null]'),
        ('(double)JObject.Parse("{\\"a\\":1e400}")["a"] == double.PositiveInfinity', "True"),
        ('new JArray(new JArray(double.NaN), null).ToString(Formatting.None)', '[["NaN"],null]'),
    ):  # fmt: skip
        assert evaluate(text) == result


def test_what_a_missing_step_is_called() -> None:
    caught = "try {{ return {}; }} catch (JsonException e) {{ return e.Message; }}"
    for path, message in (
        ("Nope", "Property 'Nope' does not exist on JObject."),
        ("Stores.x", "Property 'x' not valid on JArray."),
        ("Stores[9]", "Index 9 outside the bounds of JArray."),
    ):
        assert evaluate("{" + caught.format(f'{_STORES}.SelectToken("{path}", true)') + "}") == message
