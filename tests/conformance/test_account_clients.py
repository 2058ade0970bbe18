"""Real clients against the account and the local issuer: the openai SDK, azure-identity; nothing is stubbed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette

from aforo.identity.access import Application, Principal
from aforo.identity.ca import ensure_tls
from aforo.identity.endpoints import IDENTITY_PATH, routes
from aforo.identity.keys import hash_key
from aforo.identity.tls_files import TlsFiles
from aforo.private_files import private_directory
from tests.support.accounts import ALLOWED, AUDIENCE, KEY, STRANGER, TENANT, Account, issuer, lab_facts, token
from tests.support.listener import listening
from tests.support.principals import KnownPrincipals

openai = pytest.importorskip(
    "openai", reason="the client SDKs are not installed (dependency group `clients`)"
)
azure_identity = pytest.importorskip("azure.identity", reason="the client SDKs are not installed")

VERSION = "2024-10-21"
PROMPT = [{"role": "user", "content": "Hello! What does an API Management Service in Azure do?"}]
HEADER = "header-of-this-process"
APP = Application(Principal("0a000000-0000-4000-8000-000000000009", "app-1"), (hash_key("app-secret"),))


@pytest.fixture(scope="module")
def account() -> Iterator[tuple[Account, str]]:
    made = Account(
        lab_facts(script={"tokens": 12, "failures": [{"status": 429, "calls": [1], "retry_after_s": 0.05}]})
    )
    with listening(made.app) as url:
        yield made, url


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return ensure_tls(private_directory(tmp_path_factory.mktemp("secrets") / "s"))


def entra(url: str) -> Starlette:
    directory = KnownPrincipals([APP], [ALLOWED, STRANGER])
    return Starlette(routes=routes(issuer(), directory, identity_headers=[HEADER], origins=[url]))


_open: list[Any] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """What a test opened is closed behind it: warnings of forgotten sockets are errors here."""
    yield
    close_kept()


def close_kept() -> None:
    while _open:
        _open.pop().close()


@contextmanager
def served(app: Any, **tls: Any) -> Iterator[str]:
    """A server of one test's own; its clients are closed before it."""
    with listening(app, **tls) as url:
        try:
            yield url
        finally:
            close_kept()


def keep(thing: Any) -> Any:
    _open.append(thing)
    return thing


def client(url: str, **options: object) -> openai.AzureOpenAI:
    given = {"api_key": KEY, "api_version": VERSION, **options}
    return keep(openai.AzureOpenAI(azure_endpoint=url, **given))


def test_a_429_is_retried_by_the_sdk(account: tuple[Account, str]) -> None:
    made, url = account
    answer = client(url).chat.completions.create(model="gpt-35-turbo", messages=PROMPT)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "gpt-35-turbo"
    assert answer.usage.completion_tokens == 12
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 12
    signatures = [row["ResultSignature"] for row in made.rows.rows()]
    assert signatures == ["429", "200"]


def test_streaming(account: tuple[Account, str]) -> None:
    stream = client(account[1]).chat.completions.create(
        model="gpt-35-turbo", messages=PROMPT, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[0].choices == []
    assert chunks[1].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 12
    whole = client(account[1]).chat.completions.create(model="gpt-35-turbo", messages=PROMPT)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content


def test_completions_and_embeddings(account: tuple[Account, str]) -> None:
    sdk = client(account[1])
    completion = sdk.completions.create(model="gpt-35-turbo", prompt=["Once", "Twice"], max_tokens=3, n=2)
    assert [c.index for c in completion.choices] == [0, 1, 2, 3]
    # The SDK asks for base64 by itself and decodes it.
    embedding = sdk.embeddings.create(model="embed", input=["a", "b"])
    assert [len(d.embedding) for d in embedding.data] == [8, 8]
    floats = sdk.embeddings.create(model="embed", input="a", encoding_format="float")
    assert floats.data[0].embedding == pytest.approx(embedding.data[0].embedding, rel=1e-6)


def test_listings(account: tuple[Account, str]) -> None:
    sdk = client(account[1])
    assert [m.id for m in sdk.models.list()] == ["gpt-35-turbo", "text-embedding-ada-002"]
    assert sdk.models.retrieve("gpt-35-turbo").owned_by == "aforo"
    assert list(sdk.files.list()) == []
    assert list(sdk.fine_tuning.jobs.list()) == []
    with pytest.raises(openai.BadRequestError, match="has no files"):
        sdk.files.create(file=("x.jsonl", b"{}" * 200_000), purpose="fine-tune")


def test_the_v1_surface(account: tuple[Account, str]) -> None:
    sdk = keep(openai.OpenAI(base_url=f"{account[1]}/openai/v1/", api_key=KEY))
    assert sdk.chat.completions.create(model="gpt-35-turbo", messages=PROMPT).usage.completion_tokens == 12
    wrong = keep(openai.OpenAI(base_url=f"{account[1]}/openai/v1/", api_key="wrong"))
    with pytest.raises(openai.AuthenticationError):
        wrong.models.list()


def test_errors_become_the_sdks_own(account: tuple[Account, str]) -> None:
    url = account[1]
    with pytest.raises(openai.AuthenticationError) as wrong:
        client(url, api_key="wrong").models.list()
    assert wrong.value.code == "401"
    with pytest.raises(openai.NotFoundError) as missing:
        client(url).chat.completions.create(model="nope", messages=PROMPT)
    assert missing.value.code == "DeploymentNotFound"
    with pytest.raises(openai.BadRequestError) as bad:
        client(url).chat.completions.create(model="gpt-35-turbo", messages=PROMPT, temperature=9)
    assert bad.value.param == "temperature"
    with pytest.raises(openai.NotFoundError):
        client(url, api_version="never").models.list()


def test_a_client_that_stops_reading() -> None:
    slow = Account(lab_facts(script={"tokens": 1000, "tokens_per_second": 50}))
    with served(slow.app) as url:
        with client(url).chat.completions.create(
            model="gpt-35-turbo", messages=PROMPT, stream=True
        ) as stream:
            for _ in range(4):
                next(iter(stream))
        deadline = time.monotonic() + 5
        while not slow.rows.rows() and time.monotonic() < deadline:
            time.sleep(0.02)
        (row,) = slow.rows.rows()
    assert row["ResultSignature"] == "499"
    assert row["DurationMs"] < 5000


def test_a_connection_that_breaks_off() -> None:
    script = {"tokens": 10, "failures": [{"every": 1, "after_tokens": 3, "hang_up": True}]}
    with served(Account(lab_facts(script=script)).app) as url:
        sdk = client(url, max_retries=0)
        with pytest.raises(Exception, match=r"(?i)incomplete|peer closed|connection"):
            list(sdk.chat.completions.create(model="gpt-35-turbo", messages=PROMPT, stream=True))


def test_tokens_by_a_provider(account: tuple[Account, str]) -> None:
    url = account[1]
    good = client(url, api_key=None, azure_ad_token_provider=token)
    assert good.chat.completions.create(model="gpt-35-turbo", messages=PROMPT).choices
    stranger = client(url, api_key=None, azure_ad_token=token(STRANGER))
    with pytest.raises(openai.AuthenticationError) as refused:
        stranger.chat.completions.create(model="gpt-35-turbo", messages=PROMPT)
    assert refused.value.code == "PermissionDenied"


# -- azure-identity ------------------------------------------------------------------------------------


def test_managed_identity_reaches_the_account(
    account: tuple[Account, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(entra) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url + IDENTITY_PATH)
        monkeypatch.setenv("IDENTITY_HEADER", HEADER)
        credential = keep(azure_identity.ManagedIdentityCredential())
        provider = azure_identity.get_bearer_token_provider(credential, f"{AUDIENCE}/.default")
        sdk = client(account[1], api_key=None, azure_ad_token_provider=provider)
        assert sdk.chat.completions.create(model="gpt-35-turbo", messages=PROMPT).choices
        expires = credential.get_token(f"{AUDIENCE}/.default").expires_on
        assert expires - time.time() == pytest.approx(86_400, abs=60)
        named = keep(azure_identity.ManagedIdentityCredential(client_id=STRANGER.client_id))
        assert named.get_token(f"{AUDIENCE}/.default").token
        monkeypatch.setenv("IDENTITY_HEADER", "guessed")
        from azure.core.exceptions import ClientAuthenticationError

        with pytest.raises(ClientAuthenticationError):
            keep(azure_identity.ManagedIdentityCredential()).get_token(f"{AUDIENCE}/.default")


def test_client_secret_over_the_local_ca(tls: TlsFiles) -> None:
    from azure.core.exceptions import ClientAuthenticationError

    with served(entra, certificate=tls.certificate, key=tls.key) as url:

        def credential(secret: str) -> azure_identity.ClientSecretCredential:
            credential = azure_identity.ClientSecretCredential(
                TENANT,
                "app-1",
                secret,
                authority=url,
                disable_instance_discovery=True,
                connection_verify=str(tls.ca),
            )
            return keep(credential)

        found = credential("app-secret").get_token("https://api.example/.default")
        assert found.expires_on - time.time() == pytest.approx(3600, abs=60)
        with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
            credential("wrong").get_token("https://api.example/.default")


def test_the_gateways_own_client_takes_the_same_endpoint() -> None:
    import asyncio

    import httpx

    from aforo.identity.identity_sources import HttpAnswer, detect
    from aforo.identity.managed import ManagedTokens
    from aforo.identity.verify import FixedKeys, Verifier

    async def ask(
        method: str, url: str, headers: tuple[tuple[bytes, bytes], ...], body: bytes = b""
    ) -> HttpAnswer:
        async with httpx.AsyncClient() as web:
            answer = await web.request(method, url, headers=list(headers), content=body)
            return HttpAnswer(answer.status_code, answer.content)

    async def story(url: str) -> None:
        environment = {"IDENTITY_ENDPOINT": url + IDENTITY_PATH, "IDENTITY_HEADER": HEADER}
        tokens = ManagedTokens(detect(environment, ask))
        fetched = await tokens.fetch(AUDIENCE, None)
        assert tokens.cached(AUDIENCE, None) == fetched
        claims = await Verifier(FixedKeys(issuer().jwks()), audiences=[AUDIENCE]).verify(fetched)
        assert claims["oid"] == ALLOWED.object_id

    with served(entra) as url:
        asyncio.run(story(url))
