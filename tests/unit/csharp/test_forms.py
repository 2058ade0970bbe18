"""Forms of C# 7 that few policies use: queries, several dimensions, places, `typeof`, `goto case`, `ref`.

(expression, its value as text); a `{` in front makes a block. The values are those of the C# 7 specification (queries:
section 12.19.3) and of .NET.
"""

from __future__ import annotations

import pytest

from tests.support.expressions import evaluate, mistakes, thrown

VALUES: list[tuple[str, str]] = [
    ("unchecked((uint)-1) + unchecked((byte)300) + (byte)255.9", "298"),
    ('new [] {"apple","avocado","bean"}.GroupBy(w => w[0], (k, g) => k + "=" + g.Count()).Last()', "b=1"),
    ('new [] {"apple","avocado","bean"}.GroupBy(w => w[0], w => w.Length, (k, g) => k + "=" + g.Sum()).First()', "a=12"),
    ('string.Join(";", new [] {"ab","c"}.SelectMany((w, i) => w.Select(c => c + i.ToString())))', "a0;b0;c1"),
    ('string.Join(";", new [] {"ab","c"}.SelectMany(w => w, (w, c) => w + c))', "aba;abb;cc"),
    ("{ int? n = null; return n.ToString() + n.GetHashCode() + n.Equals(null) + n.Equals(1); }", "0TrueFalse"),
    ("{ int? n = 5; return n.ToString() + n.Equals(5) + n.Equals(null); }", "5TrueFalse"),
    ('{ var q = from a in new [] {1,2} from c in new [] {10,20} select a + c; return string.Join(",", q); }', "11,21,12,22"),
    ('string.Join(",", from a in new [] {1,2,3} from c in new [] {10,20} where a > 1 let s = a + c orderby s descending, a select a + ":" + c + "=" + s)', "3:20=23,2:20=22,3:10=13,2:10=12"),
    ('string.Join(";", from w in new [] {"apple","avocado","bean"} group w by w[0] into g orderby g.Key descending select g.Key + "=" + g.Count())', "b=1;a=2"),
    ('string.Join(";", from a in new [] {1,2} join b in new [] { new { K = 1, V = "x" }, new { K = 2, V = "y" }, new { K = 2, V = "z" } } on a equals b.K select a + b.V)', "1x;2y;2z"),
    ('string.Join(";", from a in new [] {1,2,3} join b in new [] { new { K = 1, V = "x" }, new { K = 2, V = "y" } } on a equals b.K into bs select a + ":" + bs.Count())', "1:1;2:1;3:0"),
    ('string.Join(";", from a in new [] {1,2,3} join b in new [] { new { K = 1, V = "x" } } on a equals b.K into bs from b in bs.DefaultIfEmpty() select a + ":" + (b?.V ?? "none"))', "1:x;2:none;3:none"),
    ("(from int x in new object[] {1,2} select x).Sum()", "3"),
    ("(from x in new [] {1,2,3} select x).Count()", "3"),
    ("{ var o = JObject.Parse(\"{'items':[{'id':1,'tags':['a','b']},{'id':2,'tags':['c']}]}\"); return string.Join(\",\", from i in o[\"items\"] from t in i[\"tags\"] where (int)i[\"id\"] > 0 select (string)i[\"id\"] + t); }", "1a,1b,2c"),
    ("{ var o = JObject.Parse(\"{'a':1,'b':2}\"); return new JObject(from p in o.Properties() where (int)p.Value > 1 select new JProperty(p.Name.ToUpper(), p.Value)).ToString(Formatting.None); }", '{"B":2}'),
    ('string.Join(",", from x in new [] {1,2,3} let y = x * x where y > 1 select new { x, y } into p select p.x + p.y)', "6,12"),
    ('{ var a = new [] {1,2}; Array.Resize(ref a, 4); return a.Length + string.Join(",", a); }', "41,2,0,0"),
    ("{ var a = new byte[] {1,2}; Array.Resize(ref a, 1); return a.Length; }", "1"),
    ("typeof(List<string>).Name + typeof(int[]).Name + typeof(string) + typeof(Dictionary<string,int>).Namespace", "List`1Int32[]System.StringSystem.Collections.Generic"),
    ("new List<string>().GetType() == typeof(List<string>)", "True"),
    ("new List<string>().GetType() == typeof(List<int>)", "False"),
    ("{ object o = new List<string>(); return o.GetType() == typeof(List<string>); }", "True"),
    ('{ object o = JObject.Parse("{}"); return o.GetType() == typeof(JObject); }', "True"),
    ("{ object o = new JArray(); return o.GetType().Name + o.GetType().FullName; }", "JArrayNewtonsoft.Json.Linq.JArray"),
    ("new [] {1}.GetType().Name + 5.GetType() + \"\".GetType() + 'c'.GetType() + 1.5m.GetType() + DateTime.MinValue.GetType()", "Int32[]System.Int32System.StringSystem.CharSystem.DecimalSystem.DateTime"),
    ("{ object o = DayOfWeek.Friday; return o.GetType() == typeof(DayOfWeek); }", "True"),
    ("{ object o = Guid.Empty; return o.GetType() == typeof(Guid) && typeof(int) != typeof(long); }", "True"),
    ('string.Join(",", Enum.GetNames(typeof(DayOfWeek)).Take(2)) + Enum.GetValues(typeof(DayOfWeek)).Length + Enum.IsDefined(typeof(DayOfWeek), 3) + Enum.GetName(typeof(DayOfWeek), 2)', "Sunday,Monday7TrueTuesday"),
    ('string.Join(",", Enum.GetValues(typeof(DayOfWeek)).Cast<DayOfWeek>().Where(d => d > DayOfWeek.Thursday))', "Friday,Saturday"),
    ("(DayOfWeek)Enum.ToObject(typeof(DayOfWeek), 2)", "Tuesday"),
    ('(int)JToken.Parse("5").ToObject(typeof(int)) + 1', "6"),
    ('((List<int>)JsonConvert.DeserializeObject("[1,2]", typeof(List<int>))).Sum()', "3"),
    ('{ var d = new Dictionary<string, List<int>> { ["a"] = new List<int> {1} }; d["a"][0] += 4; d["a"].Add(2); return d["a"].Sum(); }', "7"),
    ('{ int i = 0; var a = new int[3]; a[i++] += 5; a[i++]++; return string.Join(",", a) + i; }', "5,1,02"),
    ('{ int i = 0; var a = new int[3]; a[i] = ++i; return string.Join(",", a); }', "1,0,0"),
    ('{ int i = 0; var a = new int[2]; int.TryParse("7", out a[i++]); return a[0] + "" + i; }', "71"),
    ("{ var t = (a: (b: 1, c: 2), d: 3); t.a.b += 5; t.a.c++; return t.ToString(); }", "((6, 3), 3)"),
    ("{ var a = new [] { (x: 1, y: 2) }; a[0].x = 9; return a[0].ToString(); }", "(9, 2)"),
    ('{ void Swap(ref int a, ref int b) { var t = a; a = b; b = t; } int x = 1, y = 2; Swap(ref x, ref y); return x + "" + y; }', "21"),
    ('{ void Swap(ref string a, ref string b) { var t = a; a = b; b = t; } var z = new [] {"p","q"}; Swap(ref z[0], ref z[1]); return string.Join("", z); }', "qp"),
    ('{ var sb = new StringBuilder("abcdef"); sb[0]++; sb.Length /= 2; return sb.ToString(); }', "bbc"),
    ('{ var sb = new StringBuilder("abc") { Length = 2 }; return sb.ToString(); }', "ab"),
    ("{ var s = new JsonMergeSettings { MergeArrayHandling = MergeArrayHandling.Union }; var o = JObject.Parse(\"{'a':[1]}\"); o.Merge(JObject.Parse(\"{'a':[1,2]}\"), s); return o.ToString(Formatting.None); }", '{"a":[1,2]}'),
    ('new XElement("a") { Value = "x" }.ToString()', "<a>x</a>"),
    ('{ int n = 3; var r = ""; switch (n) { case 3: r += "3"; goto case 2; case 2: r += "2"; goto default; case 1: r += "1"; break; default: r += "d"; break; } return r; }', "32d"),
    ("{ int n = 0; switch (n) { case 0: n++; if (n < 5) goto case 0; break; } return n; }", "5"),
    ("{ var r = 0; for (int i = 0; i < 3; i++) { switch (i) { case 0: goto case 1; case 1: r++; continue; default: r += 10; break; } r += 100; } return r; }", "112"),
    ('{ Func<string,int,string> f = delegate { return "x"; }; return f("", 1); }', "x"),
    ("{ int[,,] a = new int[2,2,2]; a[1,1,1] = 3; a[1,1,1] *= 2; return a[1,1,1] + a.Length + a.Rank; }", "17"),
    ('{ var a = new int[2,2]; try { a[2,0] = 1; return "no"; } catch (IndexOutOfRangeException) { return "out"; } }', "out"),
    ('{ var a = new [,] {{"a","b"},{"c","d"}}; return a[1,0] + a.GetUpperBound(0) + a.GetLength(0); }', "c12"),
    ("{ int[][,] a = new int[2][,]; a[0] = new int[1,2]; a[0][0,1] = 5; return a[0][0,1]; }", "5"),
    ("new int[2,2].GetType().Name", "Int32[,]"),
    ('{ var d = new Dictionary<string,int>(); d["x"] = d.ContainsKey("x") ? d["x"] + 1 : 1; d["x"]--; return d["x"]; }', "0"),
    ('{ var l = new List<string> {"a"}; l[0] += "b"; return l[0]; }', "ab"),
    ("{ var a = new byte[] {250}; a[0] += 10; return a[0]; }", "4"),
    ('{ var o = new JObject(); o["n"] = 1; o["n"] = o["n"].Value<int>() + 1; return (int)o["n"]; }', "2"),
    ('Convert.ChangeType("5", typeof(int)).GetType().Name', "Int32"),
    ('{ const int Max = 3; const string P = "a" + "b"; switch (3) { case Max: return P; default: return ""; } }', "ab"),
    ('{ object o = 3; switch (o) { case int n when n > 2: return "big"; case int n: return "int"; case string s: return s; case null: return "null"; default: return "?"; } }', "big"),
    ('{ var x = 5; return x > 3 ? "y" : throw new Exception(); }', "y"),
]  # fmt: skip

REFUSED = [
    ("int.MaxValue + 1", "CS0215"),
    ("long.MaxValue * 2", "CS0215"),
    ("0u - 1u", "CS0215"),
    ("(byte)300", "CS0215"),
    ("(uint)-1", "CS0215"),
    ("(int)0xFFFFFFFF", "CS0215"),
    ("(int)3e10", "CS0215"),
    ("checked(int.MaxValue + 1)", "CS0215"),
    ('{ switch ("x") { case "x": foreach (var c in "ab") { goto case "y"; } return 1; case "y": return 2; default: return 3; } }', "CS0302"),
    ("{ switch (1) { case 1: goto case 7; default: return 1; } }", "CS0213"),
    ("{ switch (1) { case 1: goto default; } return 1; }", "CS0213"),
    ("{ goto case 1; }", "CS0213"),
    ("{ a: return 1; }", "CS0302"),
    ("await 5", "CS0301"),
    ("{ async string F() { return null; } return F(); }", "CS0301"),
    ("new StringBuilder { Size = 5 }.Length", "CS0203"),
    ("new List<int> { Count = 5 }.Count", "CS0209"),
    ('new StringBuilder { Length = "x" }.Length', "CS0205"),
    ('{ var s = "abc"; s.Length -= 1; return s; }', "CS0209"),
    ('{ var s = "abc"; s[0]++; return s; }', "CS0209"),
    ('{ var b = new StringBuilder(); b?.Length = 5; return b; }', "CS0101"),
    ("{ void F(ref int a) { } var l = new List<int> {1}; F(ref l[0]); return 1; }", "CS0213"),
    ("{ void F(ref long a) { } int i = 0; F(ref i); return i; }", "CS0205"),
    ("{ void F(ref int a) { } int i = 0; F(i); return i; }", "CS0213"),
    ("{ void F(ref int a) { } F(ref 5); return 1; }", "CS0209"),
    ("{ int i = 5; return int.Parse(ref i); }", "CS0204"),
    ("{ ref int a = ref b; return 1; }", "CS0301"),
    ("{ var a = new int[2,2]; return a[1]; }", "CS0207"),
    ("{ var a = new int[2]; return a[1,1]; }", "CS0207"),
    ("{ var a = new [,] {{1,2},{3}}; return a.Length; }", "CS0213"),
    ("{ int[,] a = {1,2}; return a.Length; }", "CS0213"),
    ("(from x in 5 select x).Count()", "CS0203"),
    ("(from x in new [] {1} from x in new [] {2} select x).Count()", "CS0210"),
    ("(from x in new [] {1} select y).Count()", "CS0201"),
    ("from x in new [] {1} where x > 0", "CS0101"),
    ("typeof(Nothing).Name", "CS0202"),
    ("typeof(string).Assembly", "CS0203"),
]  # fmt: skip

THROWN = [
    ("{ var a = new int[-1, 2]; return a.Length; }", "OverflowException"),
    ("{ int[] a = {1}; Array.Resize(ref a, -1); return a.Length; }", "ArgumentOutOfRangeException"),
    ("{ StringBuilder b = null; b.Length -= 1; return 1; }", "NullReferenceException"),
    ("{ string s = null; return s ?? throw new InvalidOperationException(); }", "InvalidOperationException"),
    ('(DayOfWeek)Enum.Parse(typeof(DayOfWeek), "Noday")', "ArgumentException"),
    ("{ object o = null; return o.GetType() == typeof(int); }", "NullReferenceException"),
    ("{ while (true) { switch (1) { case 1: goto case 2; case 2: goto case 1; } } }", "LimitExceeded"),
    ("new int[100000, 100000].Length", "LimitExceeded"),
    ("{ var a = new int[2,2]; return a[0, 2]; }", "IndexOutOfRangeException"),
]


@pytest.mark.parametrize(("text", "expected"), VALUES, ids=[t for t, _ in VALUES])
def test_values(text: str, expected: str) -> None:
    assert evaluate(text) == expected


@pytest.mark.parametrize(("text", "code"), REFUSED, ids=[t for t, _ in REFUSED])
def test_refusals(text: str, code: str) -> None:
    assert [d.code for d in mistakes(text)] == [code]


@pytest.mark.parametrize(("text", "name"), THROWN, ids=[t for t, _ in THROWN])
def test_throws(text: str, name: str) -> None:
    assert thrown(text) == name
