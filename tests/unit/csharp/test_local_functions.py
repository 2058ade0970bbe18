"""Generic local functions (C# 7 specification, 13.6.4 and 12.6.3): (expression, its value as text)."""

from __future__ import annotations

import pytest

from tests.support.expressions import evaluate, mistakes

VALUES = [
    ('{ T Pick<T>(T a, T b, bool first) { return first ? a : b; } return Pick(1, 2, false) + Pick("x", "y", true) + Pick<long>(1, 2L, true); }', "2x1"),
    ('{ T First<T>(T a, T b) => a; return First(1, 2L).GetType().Name + First<object>("s", 1) + First(b: 1.5, a: 2); }', "Int64s2"),
    ('{ R Map<T, R>(T value, Func<T, R> f) { return f(value); } return Map(3, x => x * 2) + Map("a", s => s.Length + 0.5).ToString() + Map<string, string>("a", s => s + "b"); }', "61.5ab"),
    ("{ string Name<T>() => typeof(T).Name; return Name<int>() + Name<JObject>(); }", "Int32JObject"),
    ('{ T Or<T>(object o, T other) where T : class { return o is T ? (T)o : other; } return Or("a", "b") + Or(1, "b"); }', "ab"),
    ('{ T? Maybe<T>(object o) where T : struct { return o is T ? (T)o : (T?)null; } return Maybe<int>(1) + "" + Maybe<int>("x").HasValue; }', "1False"),
    ('{ var d = new Dictionary<string, object> { {"a", 5} }; T Get<T>(string key, T other = default(T)) { object o; return d.TryGetValue(key, out o) ? (T)o : other; } return Get<int>("a") + Get("b", 7) + (Get<string>("b") ?? "none"); }', "12none"),
    ('{ int n = 0; void Count<T>(IEnumerable<T> items) { foreach (var i in items) { n++; } } Count(new [] {1,2}); Count("abc"); return n; }', "5"),
    ('{ int Depth<T>(T v, int n) { return n == 0 ? 0 : 1 + Depth(v, n - 1); } return Depth("", 5); }', "5"),
    ('{ bool Even<T>(T v, int n) => n == 0 || Odd(v, n - 1); bool Odd<T>(T v, int n) => n != 0 && Even(v, n - 1); return Even(1, 4) + "" + Odd("", 4); }', "TrueFalse"),
    ('{ bool Try<T>(object o, out T value) { if (o is T) { value = (T)o; return true; } value = default(T); return false; } int i; string s; return Try(5, out i) + "" + i + Try<string>(5, out s) + Try<int>("x", out var k) + k; }', "True5FalseFalse0"),
    ('{ T[] Many<T>(params T[] all) => all; return Many(1,2,3).Length + Many("a").First() + Many<int>().Length; }', "3a0"),
    ('{ void Swap<T>(ref T a, ref T b) { var t = a; a = b; b = t; } int x = 1, y = 2; Swap(ref x, ref y); return x + "" + y; }', "21"),
    ('{ T Id<T>(T v) => v; return string.Join(",", new [] {1,2}.Select(x => Id(x))) + string.Join(",", new [] {3}.Select(Id)); }', "1,23"),
    ('{ U Outer<T, U>(T t, U u) { V In<V>(V v) { T kept = t; return v; } return In(u); } return Outer(1, "z"); }', "z"),
    ('{ for (int i = 0; i < 2; i++) { T Id<T>(T v) { return v; } if (Id(i) == 1) { return Id("one"); } } return "x"; }', "one"),
    ('{ return Later(2) + Later("b"); T Later<T>(T v) { return v; } }', "2b"),
    ('{ var seen = new List<string>(); T Log<T>(string name, Func<T> run) { seen.Add(name); return run(); } var n = Log("n", () => 2); var s = Log("s", () => "x"); return n + s + string.Join(",", seen); }', "2xn,s"),
    ('{ var o = JObject.Parse("{\'n\':3,\'t\':\'x\'}"); T Read<T>(string path, T other) { var t = o.SelectToken(path); return t == null ? other : t.ToObject<T>(); } return Read("n", 0) + Read("t", "") + Read("none", true); }', "3xTrue"),
]  # fmt: skip

REFUSED = [
    ('{ int Deep<T>(T v, int n) { return n == 0 ? 0 : 1 + Deep(new List<T>(), n - 1); } return Deep("", 5); }', "CS0401"),
    ("{ T Id<T>(T v) => v; return Id(null); }", "CS0211"),
    ("{ T Make<T>() => default(T); return Make(); }", "CS0211"),
    ("{ T Id<T>(T v) => v; return Id<Nope>(null); }", "CS0202"),
    ("{ T Id<T>(T v) => v.Foo; return Id(1); }", "CS0203"),
    ("{ T Id<T>(T v) { return v; } return Id<int, int>(1); }", "CS0204"),
    ("{ T Id<T>(T v) { return v; } return Id(1, 2); }", "CS0204"),
    ("{ T Id<T>(List<T> v) { return v[0]; } return Id(1); }", "CS0204"),
    ("{ T Id<T, T>(T v) { return v; } return Id(1); }", "CS0210"),
    ("{ int Plain(int v) { return v; } return Plain<int>(1); }", "CS0213"),
    ("{ T Id<T>(T v) { return v; } T other = 1; return Id(1); }", "CS0202"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), VALUES, ids=[t[:70] for t, _ in VALUES])
def test_value(text: str, expected: str) -> None:
    assert evaluate(text) == expected


@pytest.mark.parametrize(("text", "code"), REFUSED, ids=[t[:70] for t, _ in REFUSED])
def test_refused(text: str, code: str) -> None:
    assert [d.code for d in mistakes(text)] == [code]
