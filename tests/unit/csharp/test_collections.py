"""Arrays, lists, sets, queues, tuples, LINQ's ordering and grouping, Random: (expression, text) after .NET's documentation."""

from __future__ import annotations

import random

import pytest

from aforo.csharp.runtime import randoms
from tests.support.expressions import evaluate, mistakes, thrown

VALUES = [
    # Arrays.
    ('string.Join(",", Array.FindAll(new [] {1,2,3,4}, x => x % 2 == 0)) + Array.FindIndex(new [] {"a","b"}, x => x == "b")', "2,41"),
    ("string.Join(\",\", Array.ConvertAll(new [] {\"1\",\"2\"}, int.Parse).Select(x => x + 1))", "2,3"),
    ('Array.Find(new [] {1, 2}, x => x > 5) + "|" + Array.TrueForAll(new [] {1}, x => x > 0) + Array.LastIndexOf(new [] {1,2,1}, 1)', "0|True2"),
    ("{ var a = new byte[] {1,2,3,4}; Array.Clear(a, 1, 2); Array.Reverse(a); var b = (byte[])a.Clone(); b[0] = 9; return BitConverter.ToString(a) + BitConverter.ToString(b, 0, 1); }", "04-00-00-0109"),
    ("{ var a = new [] {5,1,4}; Array.Sort(a, (x, y) => y - x); return string.Join(\",\", a) + Array.BinarySearch(new [] {1,3,5}, 4); }", "5,4,1-3"),
    ("{ var s = \"\"; Array.ForEach(new [] {1,2}, x => { s += x; }); return s; }", "12"),
    ("new [] {1,2}.GetLength(0) + new [] {1}.LongLength + new [] {1}.Rank + (int)new [] {7}.GetValue(0)", "11"),
    # List.
    (
        '{ var l = new List<int> {3,1,2}; l.InsertRange(1, new [] {9,8}); l.RemoveAll(x => x == 8); l.Sort((a, b) => b - a); l.RemoveRange(0, 1); return string.Join(",", l) + "|" + l.FindIndex(x => x == 1) + l.LastIndexOf(2) + string.Join(",", l.GetRange(0, 2)) + l.FindLast(x => x > 1); }',
        "3,2,1|213,22",
    ),
    ('string.Join(",", new List<int> {1,2}.ConvertAll(x => "n" + x)) + new List<int> {1,2,3}.FindAll(x => x > 1).Count + new List<int> {1}.AsReadOnly().Count', "n1,n221"),
    ("{ IEnumerator<string> e = new List<string> {\"a\",\"b\"}.GetEnumerator(); var s = \"\"; while (e.MoveNext()) { s += e.Current; } return s; }", "ab"),
    ("{ ICollection<string> c = new List<string>(); c.Add(\"a\"); return c.Contains(\"a\") + \"\" + c.Count + c.IsReadOnly + ((ICollection<int>)new int[1]).IsReadOnly; }", "True1FalseTrue"),
    # HashSet, Dictionary.
    ("{ var h = new HashSet<int> {1,2,3}; h.UnionWith(new [] {4}); h.IntersectWith(new [] {2,3,4,5}); h.ExceptWith(new [] {3}); h.SymmetricExceptWith(new [] {4,6}); return string.Join(\",\", h.OrderBy(x => x)) + h.IsSubsetOf(new [] {2,6,7}) + h.Overlaps(new [] {9}) + h.SetEquals(new [] {6,2}) + h.RemoveWhere(x => x > 5); }", "2,6TrueFalseTrue1"),
    ('new Dictionary<string, int>(new Dictionary<string, int> { { "Key", 1 } }, StringComparer.OrdinalIgnoreCase)["KEY"] + "" + new Dictionary<string, int> { { "a", 1 } }.ContainsValue(1) + new Dictionary<string, int>(5).Keys.Count', "1True0"),
    # Queue, Stack, Tuple.
    ("{ var q = new Queue<int>(new [] {1,2}); q.Enqueue(3); var s = new Stack<int>(new [] {1,2}); s.Push(3); return q.Dequeue() + \"\" + q.Peek() + q.Count + s.Pop() + s.Peek() + string.Join(\"\", s) + string.Join(\"\", q.ToArray()); }", "122322123"),
    ('Tuple.Create(1, "a") + "|" + new Tuple<int, string>(1, "a").Item2 + Tuple.Create(1, 2).Equals(Tuple.Create(1, 2)) + Tuple.Create(1, 2, 3).Item3', "(1, a)|aTrue3"),
    # LINQ: ordering is stable, ThenBy goes by the next key, comparers fold.
    ('string.Join(",", new [] {"bb","a","cc","b"}.OrderBy(x => x.Length).ThenByDescending(x => x))', "b,a,cc,bb"),
    ('string.Join(",", new [] {"b","A","a","B"}.OrderBy(x => x, StringComparer.Ordinal)) + string.Join(",", new [] {"b","A","a","B"}.OrderByDescending(x => x, StringComparer.OrdinalIgnoreCase))', "A,B,a,bb,B,A,a"),
    ('string.Join(",", new [] {"a","A","b"}.Distinct(StringComparer.OrdinalIgnoreCase)) + new [] {"a"}.Except(new [] {"A"}, StringComparer.OrdinalIgnoreCase).Count() + new [] {"a"}.ToDictionary(x => x, x => 1, StringComparer.OrdinalIgnoreCase)["A"]', "a,b01"),
    ('string.Join(",", new [] {1,2,3}.GroupBy(x => x % 2, x => "n" + x).Select(g => g.Key + string.Join("", g)))', "1n1n3,0n2"),
    ('new [] {"a","bb","c"}.ToLookup(x => x.Length)[1].Count() + "" + new [] {1}.ToLookup(x => x).Contains(2) + new [] {1}.ToLookup(x => x)[9].Count()', "2False0"),
    ('string.Join(",", new [] {1,2}.Join(new [] {"1x","2y","2z"}, a => a.ToString(), b => b.Substring(0, 1), (a, b) => a + b))', "11x,22y,22z"),
    ('string.Join(",", new [] {1,2}.GroupJoin(new [] {1,1}, a => a, b => b, (a, b) => a + ":" + b.Count()))', "1:2,2:0"),
    ("new int[0].DefaultIfEmpty().First() + new [] {1,2,3}.TakeLast(2).First() + new [] {1,2}.SkipLast(1).Count() + new [] {1,2}.LongCount()", "5"),
    # Random(seed): what .NET gives for these seeds (the generator has not changed since its first version).
    ('{ var r = new Random(42); return r.Next() + "," + r.Next() + "," + r.Next() + "," + r.Next() + "," + r.Next(); }', "1434747710,302596119,269548474,1122627734,361709742"),
    ('{ var r = new Random(0); return string.Join(",", Enumerable.Range(0, 6).Select(i => r.Next(100))); }', "72,81,76,55,20,55"),
    ('{ var r = new Random(42); return string.Join(",", Enumerable.Range(0, 6).Select(i => r.Next(0, 100))); }', "66,14,12,52,16,26"),
    ('(new Random(-42).Next() == new Random(42).Next()) + "" + (new Random(int.MinValue).Next() == new Random(int.MaxValue).Next())', "TrueTrue"),
    ("{ var r = new Random(1); var n = r.Next(int.MinValue, int.MaxValue); return n >= int.MinValue && r.NextDouble() < 1; }", "True"),
    # Bytes.
    ("BitConverter.ToInt32(BitConverter.GetBytes(-5), 0) + BitConverter.ToInt64(BitConverter.GetBytes(7L), 0) + BitConverter.ToUInt16(new byte[] {1, 2}, 0) + \"|\" + BitConverter.ToDouble(BitConverter.GetBytes(1.5), 0) + BitConverter.ToString(BitConverter.GetBytes('A'))", "515|1.541-00"),
    ("{ var b = new byte[4]; Buffer.BlockCopy(new byte[] {1,2,3}, 1, b, 0, 2); return BitConverter.ToString(b); }", "02-03-00-00"),
    # Encodings.
    ('BitConverter.ToString(Encoding.UTF8.GetBytes("é€")) + BitConverter.ToString(Encoding.BigEndianUnicode.GetBytes("é")) + BitConverter.ToString(Encoding.UTF32.GetBytes("a"))', "C3-A9-E2-82-AC00-E961-00-00-00"),
    ('BitConverter.ToString(Encoding.ASCII.GetBytes("aé")) + Encoding.ASCII.GetString(new byte[] {97, 200}) + BitConverter.ToString(Encoding.GetEncoding("iso-8859-1").GetBytes("é")) + Encoding.GetEncoding(1252).WebName', "61-3Fa?E9windows-1252"),
    ("Encoding.UTF8.GetString(new byte[] {65, 66, 67}, 1, 2) + Encoding.UTF8.GetByteCount(\"é\") + Encoding.UTF8.GetCharCount(new byte[] {0xC3, 0xA9}) + Encoding.UTF8.GetMaxByteCount(1) + Encoding.UTF8.GetPreamble().Length + Encoding.UTF8.WebName", "BC2163utf-8"),
    ("Encoding.UTF8.GetString(new byte[] {0xFF, 65}) + Encoding.UTF8.GetString(Encoding.Convert(Encoding.Unicode, Encoding.UTF8, Encoding.Unicode.GetBytes(\"é\")))", "\ufffdAé"),
    # Uri: the parts of the example in its documentation, canonical forms, references.
    ('{ var u = new Uri("https://user:password@www.contoso.com:80/Home/Index.htm?q1=v1&q2=v2#FragmentName"); return string.Join("|", u.AbsolutePath, u.AbsoluteUri, u.DnsSafeHost, u.Fragment, u.Host, u.HostNameType, u.IsDefaultPort, u.PathAndQuery, u.Port, u.Query, u.Scheme, string.Join(",", u.Segments), u.UserInfo); }', "/Home/Index.htm|https://user:password@www.contoso.com:80/Home/Index.htm?q1=v1&q2=v2#FragmentName|www.contoso.com|#FragmentName|www.contoso.com|Dns|False|/Home/Index.htm?q1=v1&q2=v2|80|?q1=v1&q2=v2|https|/,Home/,Index.htm|user:password"),
    ('new Uri("HTTPS://Host:443/a/../b/./c d?x=é").AbsoluteUri + new Uri("https://h/a%20b%2Fc").ToString() + new Uri("http://h").ToString()', "https://host/b/c%20d?x=%C3%A9https://h/a b%2Fchttp://h/"),
    ('new Uri(new Uri("http://h/a/b?x"), "../c?y").AbsoluteUri + new Uri("http://h/p/q?r").GetLeftPart(UriPartial.Path) + new Uri("http://h:81/p").GetLeftPart(UriPartial.Authority) + (new Uri("http://h/a") == new Uri("HTTP://H/a"))', "http://h/c?yhttp://h/p/qhttp://h:81True"),
    ('(Uri.TryCreate("a b", UriKind.Absolute, out var u) ? "y" : "n") + Uri.IsWellFormedUriString("http://h/a b", UriKind.Absolute) + new Uri("a/b", UriKind.Relative).IsAbsoluteUri + new Uri("http://h/a/b").MakeRelativeUri(new Uri("http://h/a/c/d"))', "nFalseFalsec/d"),
    # IPAddress.
    ('System.Net.IPAddress.Parse("10.1.2.3").AddressFamily + BitConverter.ToString(System.Net.IPAddress.Parse("10.1.2.3").GetAddressBytes()) + System.Net.IPAddress.Parse("2001:DB8:0:0::1") + System.Net.IPAddress.IsLoopback(System.Net.IPAddress.Parse("127.0.0.5"))', "InterNetwork0A-01-02-032001:db8::1True"),
    ('(System.Net.IPAddress.TryParse("1.2.3.400", out var a) ? "y" : "n") + System.Net.IPAddress.Parse("1").Equals(System.Net.IPAddress.Parse("0.0.0.1")) + System.Net.IPAddress.HostToNetworkOrder((short)1) + System.Net.IPAddress.Parse("::ffff:1.2.3.4").MapToIPv4()', "nTrue2561.2.3.4"),
]  # fmt: skip

THROWN = [
    ("new Queue<int>().Dequeue()", "InvalidOperationException"),
    ("new Stack<int>().Pop()", "InvalidOperationException"),
    ("{ ICollection<int> c = new int[1]; c.Add(1); return c; }", "NotSupportedException"),
    ("{ Array.Clear(new byte[1], 0, 2); return 1; }", "IndexOutOfRangeException"),
    ("BitConverter.ToInt32(new byte[3], 0)", "ArgumentException"),
    ("BitConverter.ToInt32(new byte[3], 5)", "ArgumentOutOfRangeException"),
    ('Encoding.GetEncoding("klingon")', "ArgumentException"),
    ('new Uri("http://")', "UriFormatException"),
    ('new Uri("http://a b/")', "UriFormatException"),
    ('new Uri("http://h:99999/")', "UriFormatException"),
    ('new Uri("a", UriKind.Relative).Host', "InvalidOperationException"),
    ('System.Net.IPAddress.Parse("1.2.3.4.5")', "FormatException"),
    ("new Random().Next(5, 1)", "ArgumentOutOfRangeException"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "result"), VALUES, ids=[t for t, _ in VALUES])
def test_collections(text: str, result: str) -> None:
    assert evaluate(text) == result


@pytest.mark.parametrize(("text", "name"), THROWN, ids=[t for t, _ in THROWN])
def test_collection_exceptions(text: str, name: str) -> None:
    assert thrown(text) == name


def test_generic_types_by_their_arity() -> None:
    assert [d.code for d in mistakes("new Tuple<int, int, int, int, int, int, int, int, int>(1)")] == [
        "CS0202"
    ]


def test_the_first_number_of_random_is_the_one_of_the_whole_generator() -> None:
    """The short way and the long way agree, at the edges of overflow too."""
    some = random.Random(1)
    seeds = [0, 1, -1, 2**31 - 1, -(2**31), 161803397, 161803398, 161803399]
    for seed in [*seeds, *(some.randrange(-(2**31), 2**31) for _ in range(3000))]:
        state = randoms.full_state(seed)
        assert randoms.first_sample(seed) == randoms._draw(state, 1), seed


LIMITED = [
    "{ var q = new Queue<int>(); while (true) { q.Enqueue(1); } }",
    "{ var l = new List<int> {1}; while (true) { l.InsertRange(0, l); } }",
    "{ var h = new HashSet<int>(); var i = 0; while (true) { h.UnionWith(Enumerable.Range(i, 1000)); i += 1000; } }",
    "Enumerable.Range(0, 100000).Join(Enumerable.Range(0, 100000), a => 1, b => 1, (a, b) => a).Count()",
    "{ var b = new byte[10000000]; while (true) { new Random(1).NextBytes(b); } }",
]


@pytest.mark.parametrize("text", LIMITED)
def test_collection_limits(text: str) -> None:
    assert thrown(text) == "LimitExceeded"
