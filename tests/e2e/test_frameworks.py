"""LangChain and LlamaIndex with their Azure OpenAI classes, unchanged against the lab."""

from __future__ import annotations

import pytest

from tests.support.system import System

# What these libraries warn about inside themselves is theirs.
pytestmark = pytest.mark.filterwarnings("ignore")

QUESTION = "Hello! What does an API Management Service in Azure do?"


def test_langchain_chat(lab: System) -> None:
    from langchain_openai import AzureChatOpenAI
    from pydantic import SecretStr

    model = AzureChatOpenAI(
        azure_endpoint=lab.gateway,
        azure_deployment="gpt-35-turbo",
        # It asks for usage in streams, which the versions before 2024-09-01-preview refuse, here as on Azure.
        api_version="2024-10-21",
        api_key=SecretStr(lab.key),
        max_retries=0,
    )
    answer = model.invoke([("system", "You are an AI professor."), ("human", QUESTION)])
    assert answer.content
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] > 0
    assert "".join(str(chunk.content) for chunk in model.stream(QUESTION))


def test_langchain_completions_and_embeddings(lab: System) -> None:
    from langchain_openai import AzureOpenAI, AzureOpenAIEmbeddings
    from pydantic import SecretStr

    model = AzureOpenAI(
        azure_endpoint=lab.gateway,
        azure_deployment="gpt-35-turbo",
        api_version="2023-05-15",
        api_key=SecretStr(lab.key),
        max_retries=0,
    )
    assert model.invoke("Once upon a time")
    embeddings = AzureOpenAIEmbeddings(
        azure_endpoint=lab.gateway,
        azure_deployment="text-embedding-ada-002",
        api_version="2023-05-15",
        api_key=SecretStr(lab.key),
        # With it the library would download a vocabulary.
        check_embedding_ctx_length=False,
        max_retries=0,
    )
    one, two = embeddings.embed_documents(["one", "two"])
    assert len(one) == len(two) > 100


def test_llama_index(lab: System) -> None:
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.azure_openai import AzureOpenAI

    model = AzureOpenAI(
        engine="gpt-35-turbo",
        model="gpt-35-turbo",
        azure_endpoint=lab.gateway,
        api_version="2023-05-15",
        api_key=lab.key,
        max_retries=0,
    )
    assert str(model.complete("Once upon a time"))
    answer = model.chat([ChatMessage(role="user", content=QUESTION)])
    assert answer.message.content
    assert "".join(
        piece.delta or "" for piece in model.stream_chat([ChatMessage(role="user", content=QUESTION)])
    )
