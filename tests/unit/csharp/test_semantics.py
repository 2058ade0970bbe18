"""Expressions and what .NET gives for them: (expression, result as text), refusals, exceptions, limits."""

from __future__ import annotations

import pytest

from tests.support.expressions import evaluate, mistakes, thrown

VALUES = [
    # Numbers: widths, division, promotion, conversions (C# specification, 12.10 and 10.3).
    ("7 / 2", "3"),
    ("-7 / 2", "-3"),
    ("-7 % 3", "-1"),
    ("7 / 2.0", "3.5"),
    ("1 / 3m * 3", "0.9999999999999999999999999999"),
    ("unchecked(int.MaxValue + 1)", "-2147483648"),
    ("2147483647 + 1L", "2147483648"),
    ("unchecked(long.MaxValue + 1)", "-9223372036854775808"),
    ("unchecked((byte)300)", "44"),
    ("(int)3.99", "3"),
    ("(int)-3.99", "-3"),
    ("Convert.ToInt32(2.5)", "2"),
    ("Convert.ToInt32(3.5)", "4"),
    ('Convert.ToInt32("17")', "17"),
    ("1 << 33", "2"),
    ("-8 >> 1", "-4"),
    ("5 & 6 | 8 ^ 1", "13"),
    ("~5", "-6"),
    ("1.0 / 0", "Infinity"),
    ("0.1 + 0.2", "0.30000000000000004"),
    ('1e15 + ""', "1E+15"),
    ('100000000000000.0 + ""', "100000000000000"),
    ('0.00001 + ""', "1E-05"),
    ('1.50m + ""', "1.50"),
    ("'a' + 1", "98"),
    ("(char)('a' + 1)", "b"),
    ('Math.Round(2.5) + "|" + Math.Round(3.5) + "|" + Math.Round(2.345, 2)', "2|4|2.34"),
    ("Math.Max(1, 2.5)", "2.5"),
    # Strings: null as nothing, bool as True, ordinal comparison, UTF-16 lengths.
    ("\"a\" + null + true + 'c' + 1.5", "aTruec1.5"),
    ('"a\\u00e9\\x41\\tb".Length', "5"),
    ('"\U0001f600x".Length', "3"),
    ('"\U0001f600x".Substring(2)', "x"),
    ('"a\U0001f600b".Substring(1, 2) + "a\U0001f600b".Length + "a\U0001f600b".IndexOf("b")', "\U0001f60043"),
    ('"a\U0001f600\u00dfc".ToUpper() + "\u00c9\u0101".ToLower()', "A\U0001f600\u00dfC\u00e9\u0101"),
    ('"\u03a3\u0391\u03a3".ToLower()', "\u03c3\u03b1\u03c3"),
    ('@"a""b\\n"', 'a"b\\n'),
    ('"b".CompareTo("B")', "-1"),
    ('string.CompareOrdinal("b", "B") > 0', "True"),
    ('"Hello".IndexOf("L", StringComparison.OrdinalIgnoreCase)', "2"),
    ("\"a,b,,c\".Split(',').Length", "4"),
    ("string.Join(\"|\", \"a, b\".Split(new [] {',', ' '}, StringSplitOptions.RemoveEmptyEntries))", "a|b"),
    ('string.Join("|", "k=v=w".Split(new [] {\'=\'}, 2))', "k|v=w"),
    ('" x ".Trim() + "/" + "xxay".TrimStart(\'x\')', "x/ay"),
    ('"abc"[1]', "b"),
    ('"abc".Remove(1) + "abc".Insert(1, "-")', "aa-bc"),
    ('string.IsNullOrWhiteSpace(" \\t")', "True"),
    ('string.Format("{0,5}|{1,-4}|{2:00}", 1, "a", 7)', "    1|a   |07"),
    ('string.Format("{{{0}}}", 1)', "{1}"),
    ('$"{1234.567:N2}|{0.256:P1}|{255:X4}|{12:D5}|{1e3:E2}"', "1,234.57|25.6 %|00FF|00012|1.00E+003"),
    ('(1234.5).ToString("#,##0.00") + (0.5).ToString("0.##")', "1,234.500.5"),
    ("$\"{true}{{}}{'x'}\"", "True{}x"),
    # Null operators and conditions.
    ("((string)null)?.Length ?? -1", "-1"),
    ('(string)null ?? "b"', "b"),
    ("((string)null)?.ToLower().Trim().Length == null", "True"),
    ("true ? 1 : 2.5", "1"),
    ("(int?)null == null", "True"),
    ("((int?)5).Value + 1", "6"),
    ("(object)5 is int", "True"),
    ("(object)true is int", "False"),
    ('((object)"a" as string) + ((object)5 as string)', "a"),
    # Newtonsoft: conversions, indexers, formatting.
    ('(string)JObject.Parse("{\\"a\\":true}")["a"]', "True"),
    ('(int)JObject.Parse("{\\"a\\":\\"5\\"}")["a"] + 1', "6"),
    ('(int?)JObject.Parse("{\\"a\\":null}")["a"] ?? 7', "7"),
    ("JObject.Parse(\"{'a':{'b':[1,2]}}\").SelectToken(\"a.b[1]\").ToString()", "2"),
    ("JObject.Parse(\"{'a':1}\").ToString()", '{\r\n  "a": 1\r\n}'),
    ("JObject.Parse(\"{'a':[1,{'b':null}]}\").ToString(Formatting.None)", '{"a":[1,{"b":null}]}'),
    ('JObject.Parse("{\'a\':1}")["a"].Type == JTokenType.Integer', "True"),
    ('JObject.Parse("{\'a\':1}")["b"] == null', "True"),
    ('new JArray("x", 2, null).ToString(Formatting.None)', '["x",2,null]'),
    ('JArray.Parse("[3,1,2]").Select(t => (int)t).OrderBy(v => v).First()', "1"),
    ("JToken.DeepEquals(JObject.Parse(\"{'a':1}\"), JObject.Parse(\"{'a':1}\"))", "True"),
    ("JObject.Parse(\"{'d':'2024-05-06T07:08:09Z'}\")[\"d\"].ToString()", "05/06/2024 07:08:09"),
    (
        "JObject.Parse(\"{'d':'2024-05-06T07:08:09Z'}\").ToString(Formatting.None)",
        '{"d":"2024-05-06T07:08:09Z"}',
    ),
    (
        'JsonConvert.SerializeObject(new { a = 1, b = new [] {"x"}, c = (string)null })',
        '{"a":1,"b":["x"],"c":null}',
    ),
    ('JObject.Parse("{\'a\':[1,2]}")["a"].ToObject<List<int>>().Count', "2"),
    ("JObject.Parse(\"{'a':1,'b':2}\").Properties().Select(p => p.Name + p.Value).Last()", "b2"),
    # LINQ.
    ("new [] {1,2,3}.Where(v => v > 1).Select(v => v * 2).Sum()", "10"),
    ('string.Join(",", new [] {"b","a"}.OrderBy(v => v).Concat(new [] {"c"}))', "a,b,c"),
    ("new [] {1,2,3}.Any(v => v == 2) && new int[0].All(v => false)", "True"),
    ('new [] {"a"}.Contains("a")', "True"),
    ('new [] {"x","yy"}.ToDictionary(v => v, v => v.Length)["yy"]', "2"),
    ('new [] {1,1,2}.GroupBy(v => v).Select(g => g.Key + ":" + g.Count()).Last()', "2:1"),
    ("Enumerable.Range(1, 5).Aggregate((a, b) => a * b)", "120"),
    ('"hello".Reverse().First()', "o"),
    ("new [] {1.5, 2.5}.Average()", "2"),
    # Dates, spans, identifiers, text codings.
    ('DateTime.Parse("2024-02-28").AddDays(2).ToString("yyyy-MM-dd")', "2024-03-01"),
    ("new DateTime(2024, 1, 31).AddMonths(1).Day", "29"),
    ("(new DateTime(2024,1,2) - new DateTime(2024,1,1)).TotalHours", "24"),
    ("new DateTime(2024,1,2,3,4,5).ToString()", "01/02/2024 03:04:05"),
    ('new DateTime(2024,1,2,3,4,5,DateTimeKind.Utc).ToString("o")', "2024-01-02T03:04:05.0000000Z"),
    ('new DateTime(2024,1,2).ToString("R")', "Tue, 02 Jan 2024 00:00:00 GMT"),
    ("DateTimeOffset.FromUnixTimeSeconds(0).AddSeconds(1.5).ToUnixTimeMilliseconds()", "1500"),
    ("TimeSpan.FromSeconds(90061.5).ToString()", "1.01:01:01.5000000"),
    ('new Guid("6F9619FF-8B86-D011-B42D-00CF4FC964FF").ToString("N")', "6f9619ff8b86d011b42d00cf4fc964ff"),
    ('Convert.ToBase64String(Encoding.UTF8.GetBytes("h\u00e9"))', "aMOp"),
    ('Encoding.UTF8.GetString(Convert.FromBase64String("aMOp"))', "h\u00e9"),
    ('System.Net.WebUtility.UrlEncode("a b&c/d")', "a+b%26c%2Fd"),
    ('Uri.EscapeDataString("a b&c")', "a%20b%26c"),
    ('new Uri("https://Host:8443/a/b?c=d#e").Host + new Uri("https://h/a?c").PathAndQuery', "host/a?c"),
    ('Regex.Match("max-age=60", @"max-age=(?<n>\\d+)").Groups["n"]?.Value', "60"),
    ('Regex.Replace("a1b22", @"(\\d+)", "<$1>")', "a<1>b<22>"),
    (
        'BitConverter.ToString(SHA256.Create().ComputeHash(Encoding.UTF8.GetBytes("a"))).Replace("-", "").ToLower().Substring(0, 8)',
        "ca978112",
    ),
]

VALUES += [
    ("Convert.ToInt32(JObject.Parse(\"{'a':'7'}\")[\"a\"]) + 1", "8"),
    (
        r"""Regex.IsMatch("a\n", @"a\Z") + "|" + Regex.IsMatch("a\n", @"a\z") + "|" + Regex.IsMatch(@"\z", @"^\\z$")""",
        "True|False|True",
    ),
    ("Math.Abs(Guid.Empty.GetHashCode()) % 2 < 2", "True"),
    ('string.Join(",", new HashSet<string>(StringComparer.OrdinalIgnoreCase) { "a", "A", "b" })', "a,b"),
    ('new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase) { { "Key", 1 } }["KEY"]', "1"),
    ('new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase) { { "Key", 1 } }.Keys.First()', "Key"),
]

BLOCKS = [
    (
        "var t = 0; for (int i = 0; i < 5; i++) { if (i == 1) continue; if (i == 4) break; t += i; } return t;",
        "5",
    ),
    ("int i = 0; do { i++; if (i == 2) continue; } while (i < 3); return i;", "3"),
    (
        'var s = ""; foreach (var p in new Dictionary<string,int>{{"a",1},{"b",2}}) s += p.Key + p.Value; return s;',
        "a1b2",
    ),
    ('foreach (char c in "ab") { if (c == \'b\') return "found"; } return null;', "found"),
    ('switch (3) { case 1: return "one"; case 2: case 3: return "more"; default: return "else"; }', "more"),
    (
        "var n = 0; foreach (var v in new [] {1,2,3}) { switch (v) { case 2: continue; default: n += v; break; } } return n;",
        "4",
    ),
    (
        'object o = "abc"; switch (o) { case int i: return i; case string s when s.Length > 2: return s; default: return "no"; }',
        "abc",
    ),
    (
        'try { return int.Parse("x"); } catch (OverflowException) { return 1; } catch (FormatException e) { return e.Message; } finally { var x = 1; }',
        "Input string was not in a correct format.",
    ),
    (
        'try { throw new ArgumentException("bad"); } catch (Exception e) when (e.Message == "bad") { return "caught"; }',
        "caught",
    ),
    ("int f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2); } return f(10);", "55"),
    ("var n = 0; Action<int> add = v => { n += v; }; add(2); add(3); return n;", "5"),
    ('int v; return int.TryParse("9", out v) ? v : -1;', "9"),
    (
        'var d = new Dictionary<string, List<int>>(); d["a"] = new List<int> {1}; d["a"].Add(2); return d["a"].Count;',
        "2",
    ),
    ('var a = new int[3]; a[1] += 5; a[2] = a[1]++; return string.Join(",", a);', "0,6,5"),
    (
        'var o = new JObject(); o["a"] = new JArray(1); ((JArray)o["a"]).Add(2); o.Add("b", "x"); return o.ToString(Formatting.None);',
        '{"a":[1,2],"b":"x"}',
    ),
    ('var sb = new StringBuilder(); sb.Append(1).Append("a"); return sb.ToString();', "1a"),
    (
        'using (var h = new System.Security.Cryptography.HMACSHA256(Encoding.UTF8.GetBytes("k"))) { return h.ComputeHash(Encoding.UTF8.GetBytes("v")).Length; }',
        "32",
    ),
    ("string s = null; return s;", None),
    (
        'if (DateTime.UtcNow > new DateTime(2020, 1, 1)) { return "later"; } else { return "sooner"; }',
        "later",
    ),
]

BLOCKS += [
    (
        "int c = 0; Func<int, Func<int, int>> f = a => b => { c += a * b; return c; }; f(2)(3); return f(1)(4) + c;",
        "20",
    ),
    ("int c = 0; int Inc() { c++; return c; } Inc(); Inc(); return c;", "2"),
    ('return new [] {"1", "x"}.Select(s => int.TryParse(s, out var n) ? n : -1).Sum();', "0"),
    (
        "var i = 0; while (true) { try { i++; if (i < 3) { continue; } break; } finally { i += 10; } } return i;",
        "22",
    ),
    ("char c = 'a'; c++; return c;", "b"),
    ("uint u = 5; return u - 6;", "4294967295"),
    ("int? a = null; int? b = 3; return (a ?? 1) + b.Value + (b > 2 ? 1 : 0) + (a < 1 ? 100 : 0);", "5"),
]

THROWN = [
    ("((string)null).Length", "NullReferenceException"),
    ("(string)(object)5", "InvalidCastException"),
    ("(int)(object)5L", "InvalidCastException"),
    ("(int)(object)true", "InvalidCastException"),
    ("1 / (1 - 1)", "DivideByZeroException"),
    ('int.Parse("99999999999")', "OverflowException"),
    ('"abc".Substring(4)', "ArgumentOutOfRangeException"),
    ("new int[] {1}[1]", "IndexOutOfRangeException"),
    ("new List<int>()[0]", "ArgumentOutOfRangeException"),
    ('new Dictionary<string,int>()["a"]', "KeyNotFoundException"),
    ("new int[0].First()", "InvalidOperationException"),
    ('JObject.Parse("[1]")', "JsonReaderException"),
    ('JObject.Parse("{")', "JsonReaderException"),
    ('(int)JObject.Parse("{\'a\':{}}")["a"]', "ArgumentException"),
    ('Convert.FromBase64String("*")', "FormatException"),
    ('new Uri("nothing")', "UriFormatException"),
    (
        'new Regex("(a+)+$").IsMatch(new string(\'a\', 40) + "!" + new string(\'(\', 1)) ? 1 : int.Parse("q")',
        "FormatException",
    ),
]

REFUSED = [
    ('"a".Foo()', "CS0203"),
    ('"a".__class__', "CS0203"),
    ('"a".GetType().Assembly', "CS0203"),
    ('System.IO.File.ReadAllText("x")', "CS0202"),
    ('new System.IO.FileInfo("x")', "CS0202"),
    ('eval("1")', "CS0201"),
    ("1 + ", "CS0101"),
    ("1; return 2", "CS0101"),
    ("true + 1", "CS0206"),
    ('"a" - "b"', "CS0206"),
    ('(int)"5"', "CS0205"),
    ('"a".Substring("b")', "CS0204"),
    ("new [] {1}.Select((a, b, c) => a)", "CS0204"),
    ("x => x", "CS0211"),
    ("", "CS0103"),
    ("'ab'", "CS0101"),
    ('"\\q"', "CS0101"),
    ("99999999999999999999", "CS0104"),
    ('new Regex("(")', "CS0302"),
    ("await x", "CS0301"),
]

REFUSED_BLOCKS = [
    ("if (Math.Abs(-1) == 1) { return 1; }", "CS0105"),
    ("if (false) { return 1; }", "CS0105"),
    ("while (true) { break; }", "CS0105"),
    ("return x; var x = 1;", "CS0201"),
    ("var x = 1; var x = 2; return x;", "CS0210"),
    ("var x = null; return x;", "CS0211"),
    ('int x = "a"; return x;', "CS0205"),
    ("1 + 1; return 2;", "CS0101"),
    ("goto a; a: return 1;", "CS0302"),
    ("switch (1) { case 1: var y = 2; default: return 1; }", "CS0213"),
]

LIMITED = [
    "{ while (true) { } }",
    "{ for (;;) { try { continue; } catch (Exception) { } } }",
    '"x".PadLeft(2000000000)',
    "new string('x', 2000000000)",
    'string.Format("{0,9000000}", 1) + string.Format("{0:D999999999}", 1)',
    "Enumerable.Range(0, 2000000000).Count()",
    '{ var s = "ab"; for (int i = 0; i < 60; i++) { s = s + s; } return s; }',
    '{ var s = "ab"; for (int i = 0; i < 60; i++) { s = s.Replace("a", "aaaaaaaaaaaaaaaaaaaa"); } return s; }',
    '{ var s = new StringBuilder("a"); while (true) { s.Append(s.ToString()); } }',
    "{ var n = Enumerable.Range(0, 1000); return n.SelectMany(a => n.SelectMany(b => n.Select(c => 1))).Count(); }",
]


@pytest.mark.parametrize(("text", "result"), VALUES, ids=[t for t, _ in VALUES])
def test_values(text: str, result: str) -> None:
    assert evaluate(text) == result


@pytest.mark.parametrize(("text", "result"), BLOCKS, ids=[t for t, _ in BLOCKS])
def test_blocks(text: str, result: str | None) -> None:
    assert evaluate("{" + text + "}") == result


@pytest.mark.parametrize(("text", "name"), THROWN, ids=[t for t, _ in THROWN])
def test_exceptions(text: str, name: str) -> None:
    assert thrown(text) == name


@pytest.mark.parametrize(("text", "code"), REFUSED, ids=[t for t, _ in REFUSED])
def test_refusals(text: str, code: str) -> None:
    assert [d.code for d in mistakes(text)] == [code]


@pytest.mark.parametrize(("text", "code"), REFUSED_BLOCKS, ids=[t for t, _ in REFUSED_BLOCKS])
def test_refused_blocks(text: str, code: str) -> None:
    assert [d.code for d in mistakes("{" + text + "}")] == [code]


@pytest.mark.parametrize("text", LIMITED)
def test_limits(text: str) -> None:
    assert thrown(text) == "LimitExceeded"


def test_recursion_ends() -> None:
    assert thrown("{ int f(int n) { return f(n + 1); } return f(0); }") == "RecursionError"


def test_a_long_chain_is_not_a_deep_one() -> None:
    assert evaluate(" + ".join(['"a"'] * 600)) == "a" * 600
    assert evaluate(" + ".join(["1"] * 50)) == "50"
    assert evaluate(" || ".join(["false"] * 400 + ["true"])) == "True"


def test_nesting_is_refused() -> None:
    assert mistakes("(" * 200 + "1" + ")" * 200)[0].code == "CS0401"


def test_many_nested_loops_are_refused() -> None:
    for depth in (9, 10, 25):
        text = "while (true) { try { " * depth + "return 1;" + " } finally { } }" * depth
        found = [d.code for d in mistakes("{" + text + "}")]
        assert found == ["CS0401"]
    text = "for (;;) { " * 9 + "return 1;" + " }" * 9
    assert evaluate("{" + text + "}") == "1"


def test_nearest_names() -> None:
    assert mistakes('"a".Lenght')[0].hints == ("did you mean `Length`?",)


GROUPED = [
    ('"x" + ((string)null)?.Length', "x"),
    ('1 + 2 == "abc"?.Length + 0 && true', "True"),
    ('!((string)null)?.StartsWith("a") ?? true', "True"),
    ('(string)null ?? "ab"?.ToUpper() + "c"', "ABc"),
    ('(string)JObject.Parse("{\'a\':{\'b\':1}}")?["a"]?["b"] == "1" && 1 < 2', "True"),
    ('(int)JObject.Parse("{\'a\':[1,2]}").ToObject<JObject>()["a"].Last + 1', "3"),
    ('(JObject)JToken.Parse("{}").DeepClone() == null ? 1 : 2', "2"),
    ("new [] {1,2}?.Where(v => v > 1)?.First() == 2", "True"),
    ("1 + 2 * 3 - 4 / 2 % 3 << 1 > 5 == true ^ false", "True"),
    ("1 - 2 - 3", "-4"),
    ('(string)null ?? (string)null ?? "z"', "z"),
    ('-2147483648 + "|" + -(1 + 2) + "|" + - -3', "-2147483648|-3|3"),
    ('(object)"a" is string && true', "True"),
    ("(int)unchecked((byte)257) + ((int)1.9 - 1)", "1"),
]


@pytest.mark.parametrize(("text", "result"), GROUPED, ids=[t for t, _ in GROUPED])
def test_grouping(text: str, result: str) -> None:
    assert evaluate(text) == result
