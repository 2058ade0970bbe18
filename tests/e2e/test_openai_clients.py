"""The OpenAI libraries, today's and that of 2023, unchanged against the lab."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import AuthenticationError, AzureOpenAI, DefaultHttpxClient, NotFoundError, OpenAI

from tests.support.system import System

OLD = Path(__file__).resolve().parents[2] / ".tools" / "openai-0.28" / "bin" / "python"
MESSAGES: Any = [
    {"role": "system", "content": "You are an AI professor."},
    {"role": "user", "content": "Hello! What does an API Management Service in Azure do?"},
]
EMBEDDINGS = "text-embedding-ada-002"


@pytest.fixture
def azure(lab: System) -> Iterator[AzureOpenAI]:
    with AzureOpenAI(
        azure_endpoint=lab.gateway, api_key=lab.key, api_version="2024-10-21", max_retries=0
    ) as client:
        yield client


@pytest.fixture
def bearer(lab: System) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{lab.gateway}/openai/v1/", api_key=lab.key, max_retries=0) as client:
        yield client


def test_chat(azure: AzureOpenAI) -> None:
    answer = azure.chat.completions.create(model="gpt-35-turbo", messages=MESSAGES)
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_chat_streams_what_it_would_have_answered_at_once(azure: AzureOpenAI) -> None:
    whole = azure.chat.completions.create(model="gpt-35-turbo", messages=MESSAGES, seed=7, temperature=0)
    stream = azure.chat.completions.create(
        model="gpt-35-turbo", messages=MESSAGES, seed=7, temperature=0, stream=True
    )
    chunks = list(stream)
    # Azure's first chunk carries the filter results of the prompt and no choice.
    assert chunks[0].choices == []
    pieces = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    assert "".join(pieces) == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    # The gateway asks the model for usage; the client did not, and sees none.
    assert all(c.usage is None for c in chunks)


def test_chat_streams_usage_to_who_asks_for_it(azure: AzureOpenAI) -> None:
    stream = azure.chat.completions.create(
        model="gpt-35-turbo", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    last = list(stream)[-1]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens > 0


def test_completions(azure: AzureOpenAI) -> None:
    answer = azure.completions.create(model="gpt-35-turbo", prompt="Once upon a time", max_tokens=20)
    assert answer.choices[0].text
    assert answer.usage is not None
    assert answer.usage.completion_tokens <= 20


def test_embeddings_in_both_encodings(azure: AzureOpenAI) -> None:
    # The library asks for base64 by default and decodes it.
    packed = azure.embeddings.create(model=EMBEDDINGS, input=["one", "two"])
    plain = azure.embeddings.create(model=EMBEDDINGS, input=["one", "two"], encoding_format="float")
    assert [len(e.embedding) for e in packed.data] == [len(e.embedding) for e in plain.data]
    for a, b in zip(packed.data, plain.data, strict=True):
        assert a.embedding == pytest.approx(b.embedding, abs=1e-6)


def test_the_plain_class_takes_the_key_as_bearer(bearer: OpenAI) -> None:
    answer = bearer.chat.completions.create(model="gpt-35-turbo", messages=MESSAGES)
    assert answer.choices[0].message.content
    stream = bearer.chat.completions.create(model="gpt-35-turbo", messages=MESSAGES, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices)


def test_over_https_with_the_local_ca(lab: System) -> None:
    trusted = ssl.create_default_context(cafile=lab.ca)
    with AzureOpenAI(
        azure_endpoint=lab["gateway_tls"],
        api_key=lab.key,
        api_version="2024-10-21",
        max_retries=0,
        http_client=DefaultHttpxClient(verify=trusted),
    ) as client:
        assert (
            client.chat.completions.create(model="gpt-35-turbo", messages=MESSAGES).choices[0].message.content
        )


def test_a_wrong_key_is_an_authentication_error(lab: System) -> None:
    for client in (
        AzureOpenAI(azure_endpoint=lab.gateway, api_key="0" * 32, api_version="2024-10-21", max_retries=0),
        OpenAI(base_url=f"{lab.gateway}/openai/v1/", api_key="0" * 32, max_retries=0),
    ):
        with client, pytest.raises(AuthenticationError) as caught:
            client.chat.completions.create(model="gpt-35-turbo", messages=MESSAGES)
        assert isinstance(caught.value.body, dict)
        assert caught.value.body["statusCode"] == 401


def test_an_unknown_deployment_is_the_accounts_own_404(azure: AzureOpenAI) -> None:
    with pytest.raises(NotFoundError) as caught:
        azure.chat.completions.create(model="gpt-99", messages=MESSAGES)
    assert caught.value.code == "DeploymentNotFound"


_OLD_STORY = """
import json, sys
import openai
openai.api_type, openai.api_base, openai.api_version, openai.api_key = "azure", sys.argv[1], "2023-05-15", sys.argv[2]
whole = openai.Completion.create(engine="gpt-35-turbo", prompt="prompt text", temperature=1, max_tokens=200,
                                 top_p=0.5, frequency_penalty=0, presence_penalty=0, stop=None)
chat = openai.ChatCompletion.create(engine="gpt-35-turbo", messages=[{"role": "user", "content": "Hello!"}])
pieces = [c["choices"][0]["text"] for c in openai.Completion.create(engine="gpt-35-turbo", prompt="x", stream=True)
          if c["choices"]]
vector = openai.Embedding.create(engine="text-embedding-ada-002", input="one")["data"][0]["embedding"]
openai.api_key = "0" * 32
try:
    openai.Completion.create(engine="gpt-35-turbo", prompt="x")
    refused = ""
except openai.error.OpenAIError as error:
    refused = str(error)
print(json.dumps({"text": whole["choices"][0]["text"], "chat": chat["choices"][0]["message"]["content"],
                  "streamed": "".join(pieces), "dimensions": len(vector), "refused": refused}))
"""


def test_the_client_of_2023_as_in_its_readme(lab: System) -> None:
    if not OLD.exists():
        pytest.skip("openai==0.28.1 has no environment in .tools; `make test` makes it")
    environment = {**os.environ, "PYTHONPATH": "", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [str(OLD), "-c", _OLD_STORY, lab.gateway, lab.key],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["text"]
    assert said["chat"]
    assert said["streamed"]
    assert said["dimensions"] > 100
    # API Management's body is not OpenAI's, and this client says so; it does the same with the real service.
    assert '"statusCode": 401' in said["refused"]
