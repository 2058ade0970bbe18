"""A secret is revealed on purpose and in no other way."""

from __future__ import annotations

import json
import pickle
import traceback

import orjson
import pytest

from aforo.model.secret import Secret

CLEAR = "correct horse battery staple"


def test_no_way_of_printing_shows_it() -> None:
    secret = Secret(CLEAR)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>40}",
        f"{secret} {secret!r}",
        repr([secret]),
    ]
    try:
        raise ValueError(secret)
    except ValueError:
        shown.append(traceback.format_exc())
    assert not any(CLEAR in text for text in shown)


@pytest.mark.parametrize("write", [pickle.dumps, json.dumps, orjson.dumps])
def test_it_cannot_be_serialised(write: object) -> None:
    with pytest.raises(TypeError):
        write(Secret(CLEAR))  # type: ignore[operator]


def test_equality_is_by_value_and_not_with_texts() -> None:
    assert Secret(CLEAR) == Secret(CLEAR)
    assert Secret(CLEAR) != Secret("other")
    assert Secret(CLEAR) != CLEAR
    assert hash(Secret(CLEAR)) == hash(Secret(CLEAR))


def test_a_sealed_one_is_opened_once_and_only_when_needed() -> None:
    opened: list[int] = []

    def unseal() -> str:
        opened.append(1)
        return CLEAR

    secret = Secret.lazy(unseal)
    assert repr(secret) == "Secret(***)"
    assert opened == []
    assert secret.reveal() == secret.reveal() == CLEAR
    assert secret.digest == Secret(CLEAR).digest
    assert opened == [1]
