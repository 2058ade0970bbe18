"""The scripted engine plays the same story each time, at the pace and with the failures that its script says."""

import asyncio
from typing import Any

import pytest

from aforo.account.engines.engine import EmbedJob, End, Event, Job, Message, Piece, Sampling, Trouble, Vectors
from aforo.account.engines.scripted import ScriptedEngine, read_script
from aforo.errors import Invalid
from aforo.model.account_facts import DeploymentFacts


class Pauses:
    """Sleeps in no time and remembers how long."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def play(
    engine: ScriptedEngine, script: dict[str, Any] | None, prompt: Any = "x", **sampling: Any
) -> list[Event]:
    async def story() -> list[Event]:
        deployment = DeploymentFacts("d", "gpt-35-turbo", script=script)
        return [event async for event in engine.generate(Job(deployment, prompt, Sampling(**sampling)))]

    return asyncio.run(story())


def text(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece))


def test_the_same_prompt_gives_the_same_text() -> None:
    script = {"seed": 3, "tokens": 20}
    first = play(ScriptedEngine(), script, "hello")
    assert first == play(ScriptedEngine(), script, "hello")
    assert text(first) != text(play(ScriptedEngine(), script, "other"))
    assert text(first) != text(play(ScriptedEngine(), {**script, "seed": 4}, "hello"))
    assert text(first) != text(play(ScriptedEngine(), script, "hello", seed=1))
    assert first[-1] == End("stop", 2, 20)
    chat = (Message("user", "hello"),)
    assert text(play(ScriptedEngine(), script, chat)) == text(play(ScriptedEngine(), script, chat))


def test_pace() -> None:
    pauses = Pauses()
    script = {"latency_ms": 250, "tokens_per_second": 10, "tokens": 4}
    events = play(ScriptedEngine(sleep=pauses), script)
    assert pauses.taken == [0.25, 0.1, 0.1, 0.1]
    assert len(events) == 5
    drawn = Pauses()
    engine = ScriptedEngine(sleep=drawn)
    for _ in range(20):
        play(engine, {"latency_ms": [100, 200], "tokens": [1, 5]})
    assert len(set(drawn.taken)) > 10
    assert all(0.1 <= pause <= 0.2 for pause in drawn.taken)


def test_limits_and_stops() -> None:
    assert play(ScriptedEngine(), {"tokens": 9}, max_tokens=4)[-1] == End("length", 1, 4)
    assert play(ScriptedEngine(), {"tokens": 9}, max_tokens=0) == [End("length", 1, 0)]
    given = {"text": "alpha beta gamma"}
    assert text(play(ScriptedEngine(), given, stop=("ta ga",))) == "alpha be"
    assert text(play(ScriptedEngine(), given, stop=("gammas", "mm"))) == "alpha beta ga"
    held = play(ScriptedEngine(), given, stop=("gamma!",))
    assert (text(held), held[-1]) == ("alpha beta gamma", End("stop", 1, 3))
    assert play(ScriptedEngine(), {"text": "x", "finish": "content_filter"})[-1] == End(
        "content_filter", 1, 1
    )


def test_failures_by_number_turn_and_share() -> None:
    def statuses(failure: dict[str, Any], calls: int) -> list[int]:
        engine = ScriptedEngine()
        script = {"failures": [failure]}  # one object: the engine compiles a script once
        ends = [play(engine, script)[-1] for _ in range(calls)]
        return [end.status if isinstance(end, Trouble) else 200 for end in ends]

    assert statuses({"status": 503, "calls": [1, 3]}, 4) == [503, 200, 503, 200]
    assert statuses({"status": 500, "every": 2}, 4) == [200, 500, 200, 500]
    some = statuses({"status": 429, "probability": 0.3}, 200)
    assert some == statuses({"status": 429, "probability": 0.3}, 200)
    assert 30 < some.count(429) < 90


def test_a_failure_in_the_middle() -> None:
    events = play(
        ScriptedEngine(), {"failures": [{"every": 1, "after_tokens": 2, "status": 500, "hang_up": True}]}
    )
    assert [type(e) for e in events] == [Piece, Piece, Trouble]
    assert isinstance(events[-1], Trouble)
    assert events[-1].hang_up


def test_vectors_are_unit_and_stable() -> None:
    async def embed(inputs: tuple[Any, ...], dimensions: int | None = None) -> Vectors:
        job = EmbedJob(DeploymentFacts("e", "text-embedding-ada-002"), inputs, dimensions)
        found = await ScriptedEngine().embed(job)
        assert isinstance(found, Vectors)
        return found

    one = asyncio.run(embed(("a", "b", (1, 2))))
    assert len(one.vectors) == 3
    assert len(one.vectors[0]) == 1536
    assert sum(x * x for x in one.vectors[0]) == pytest.approx(1)
    assert one.vectors[0] == asyncio.run(embed(("a",))).vectors[0]
    assert one.vectors[0] != one.vectors[1]
    assert one.tokens == 1 + 1 + 2
    assert len(asyncio.run(embed(("a",), 5)).vectors[0]) == 5


@pytest.mark.parametrize("script", [{"latency": 1}, {"tokens": "many"}, {"failures": [{"kind": "x"}]}])
def test_a_wrong_script_is_named(script: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="script of the scripted engine"):
        read_script(script)
