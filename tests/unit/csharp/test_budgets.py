"""One evaluation cannot freeze or fill a gateway: what it makes in all, works on and takes in time is bounded."""

from __future__ import annotations

import pytest

from aforo.csharp.runtime import limits
from aforo.csharp.runtime.limits import SIZE_LIMIT, USED, WORK_LIMIT, LimitExceeded
from tests.support.expressions import evaluate

MADE = "an expression made more than"
WORK = "an expression worked on more than"

GREEDY = [
    ("{var l=new List<string>(); while(true){l.Add(new string('a',100000));} return \"\";}", MADE),
    ("{var o=new JArray(); for(int i=0;i<40;i++){o=new JArray(o,o);} return o.ToString();}", MADE),
    ('{var b=new StringBuilder(); while(true){b.Append("0123456789").Append(b.ToString());} return "";}', MADE),
    ('{var l=new List<string>(); var s=new string(\'a\',100000); while(true){l.Add("x"+s);} return "";}', MADE),
    ("{var l=new List<string>(); var s=new string('a',100000); while(true){l.Add(s.Substring(1));} return \"\";}", MADE),
    ('{IEnumerable<int> s=new [] {1}; for(int i=0;i<40;i++){s=s.Concat(s);} return "" + s.Count();}', "an expression "),
    ('{var l=new List<object>(); var s=new [] {1,2,3}.Concat(Enumerable.Range(0,5000)); while(true){l.Add(s.Concat(s));} return "";}', WORK),
    ('{var o=new JObject(); for(int i=0;i<40;i++){o=new JObject(new JProperty("a",o),new JProperty("b",o.DeepClone()));} return o.ToString();}', MADE),
    ('{var o=new JObject(); o["a"]=1; while(true){o=JObject.FromObject(new {a=o,b=o});} return "";}', MADE),
    ("{var s=new string('a',1000000); var o=new JArray(); while(true){o.Add(s);} return o.ToString();}", MADE),
    ('Enumerable.Repeat("abc", 1000000).SelectMany(t => Enumerable.Repeat(t, 1000)).Count()', "an expression "),
    ('Enumerable.Repeat("abc", 900).SelectMany(t => Enumerable.Repeat(t, 900)).SelectMany(t => t).Count()', "an expression "),
    ('{var l=Enumerable.Repeat("a", 100000).ToList(); while(true){l.Contains("b");} return "";}', WORK),
    ('{object o="ab"; for(int i=0;i<60;i++){o=new {a=o,b=o};} return o.ToString();}', "an expression "),
    ('{var t="["+string.Join(",", Enumerable.Repeat("1", 100000))+"]"; var l=new List<object>(); while(true){l.Add(JArray.Parse(t));} return "";}', "an expression "),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), GREEDY, ids=[t for t, _ in GREEDY])
def test_greedy(text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The budgets alone end it, however slow the machine is: the clock stands still. An eighth of them shows it."""
    monkeypatch.setattr(limits, "perf_counter", lambda: 0.0)
    monkeypatch.setattr(limits, "SIZE_LIMIT", SIZE_LIMIT // 8)
    monkeypatch.setattr(limits, "WORK_LIMIT", WORK_LIMIT // 8)
    with pytest.raises(LimitExceeded, match=said):
        evaluate(text)
    assert USED.made <= SIZE_LIMIT // 8
    assert USED.work <= WORK_LIMIT // 8


# Calls that look at each character for longer than a text is made in: they are work, by their length.
SLOW = [
    "1.5.ToString({0}).Length", "DateTime.MinValue.ToString({0}).Length", "Regex.Escape({0}).Length", "Uri.UnescapeDataString({0}).Length",
    "WebUtility.UrlDecode({0}).Length", "WebUtility.HtmlEncode({0}).Length", 'JToken.Parse("1").SelectToken({0})',
]  # fmt: skip


@pytest.mark.parametrize("text", SLOW)
def test_long_texts_are_work(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "perf_counter", lambda: 0.0)
    with pytest.raises(LimitExceeded, match=WORK):
        evaluate(text.replace("{0}", "new string('0', 9000000)"))
    assert evaluate("1.ToString(new string('0', 1000)).Length") == "1000"


def test_each_evaluation_has_its_own_budget() -> None:
    for text in ("new string('a', 40000000).Length", "{return new string('a', 40000000).Length;}"):
        assert [evaluate(text) for _ in range(3)] == ["40000000"] * 3
    assert USED.made == 40_000_000


def test_what_is_read_is_not_made() -> None:
    text = "{var s=new string('a',1000000); int n=0; for(int i=0;i<200;i++){if(s.Contains(\"b\")){n++;}} return n;}"
    assert evaluate(text) == "0"
    assert USED.made == 1_000_000


def test_the_clock_ends_an_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is looked at as steps are taken, texts are made and elements are worked on."""
    moments = iter(range(1_000_000))
    monkeypatch.setattr(limits, "perf_counter", lambda: float(next(moments)))
    for text in (
        "{while(true){} return 1;}",
        "{var s=new string('a',300000); s=s.Substring(1); s=s.Substring(1); return s;}",
        "Enumerable.Range(0, 3000).Skip(1).Skip(1).Count()",
        # A match that ran out of time can be caught; the evaluation's time goes on.
        '{var r=new Regex("b"); r.IsMatch("a"); r.IsMatch("a"); r.IsMatch("a"); return 1;}',
    ):
        with pytest.raises(LimitExceeded, match="ran for more than 1 s"):
            evaluate(text)
        assert USED.began is not None
    assert evaluate("1 + 1") == "2"
    assert evaluate('{return "a".PadLeft(3);}') == "  a"
    assert USED.began is None
