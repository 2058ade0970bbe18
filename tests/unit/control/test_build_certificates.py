"""Certificates and examples of answers, from the resources to the runtime of a gateway."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from aforo.control.lab import lab_yaml
from aforo.errors import Invalid
from aforo.snapshot.build import Builder
from aforo.snapshot.sealed import open_value
from aforo.snapshot.snapshot import decode, encode
from tests.support.certificates import certificate, pfx
from tests.support.control_door import Bench, FixedKeys


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.apply(lab_yaml())
    return bench


def put(bench: Bench, kind: str, name: str, **properties: Any) -> Any:
    bench.door.put(bench.id(kind, name), {"properties": properties})
    return bench.published[-1][0]


def partner(folder: Path, password: str = "word") -> tuple[str, str]:
    """(PFX in base64, the key in it as PEM)"""
    chain, key = certificate(folder, "partner")
    return base64.b64encode(pfx(chain, key, password)).decode(), key.read_text()


def test_a_certificate_travels_with_a_sealed_key(bench: Bench, tmp_path: Path) -> None:
    data, key = partner(tmp_path)
    bundle = put(bench, "certificates", "partner", data=data, password="word")
    (entry,) = bundle.certificates
    shown = bench.door.require(bench.id("certificates", "partner")).properties
    assert shown["thumbprint"] == entry.thumbprint
    assert shown["subject"] == "CN=partner"
    assert shown["expirationDate"].endswith("Z")
    assert "PRIVATE KEY" not in repr(encode(bundle))
    sealer = FixedKeys().sealer("snapshot")
    assert open_value(sealer, entry.key) == key
    runtime = Builder(lambda sealed: open_value(sealer, sealed)).build(decode(encode(bundle))).runtime
    assert runtime is not None
    assert set(runtime.certificates) == {"partner", entry.thumbprint.lower()}
    assert runtime.certificates["partner"].key_pem == key
    # What did not change is not sealed anew.
    assert put(bench, "namedValues", "x", value="y").certificates == bundle.certificates


def test_what_cannot_be_opened_is_refused(bench: Bench, tmp_path: Path) -> None:
    data, _ = partner(tmp_path)
    for wrong in ({"data": data, "password": "other"}, {"data": data}, {"data": "no base64!"}, {}):
        with pytest.raises(Invalid) as caught:
            put(bench, "certificates", "partner", **wrong)
        assert data not in str(caught.value.details)


def test_a_backend_names_its_certificate(bench: Bench, tmp_path: Path) -> None:
    data, _ = partner(tmp_path)
    bundle = put(bench, "certificates", "partner", data=data, password="word")
    thumbprint = bundle.certificates[0].thumbprint
    one = bench.id("certificates", "partner")
    target = {"url": "https://h.example", "protocol": "http"}
    bundle = put(bench, "backends", "a", **target, credentials={"certificateIds": [one]})
    assert bundle.backends[0].certificate == "partner"
    bundle = put(bench, "backends", "a", **target, credentials={"certificate": [thumbprint.lower()]})
    assert bundle.backends[0].certificate == thumbprint.lower()
    with pytest.raises(Invalid, match="no certificate with the thumbprint"):
        put(bench, "backends", "b", **target, credentials={"certificate": ["AB"]})
    with pytest.raises(Invalid):
        put(bench, "backends", "b", **target, credentials={"certificate": ["AB"], "certificateIds": [one]})
    with pytest.raises(Invalid):
        put(bench, "backends", "b", **target, credentials={"certificateIds": [one + "x"]})


def test_examples_of_answers_reach_the_operation(bench: Bench) -> None:
    put(
        bench,
        "apis/azure-openai/operations",
        "mocked",
        displayName="m",
        method="GET",
        urlTemplate="/mocked",
        responses=[
            {"statusCode": 200, "representations": [
                {"contentType": "application/json", "examples": {"a": {"value": {"x": 1}}, "b": {"value": "text"}}},
                {"contentType": "text/plain", "sample": "old"},
                {"contentType": "text/html"},
            ]},
            {"statusCode": 404},
            "no object",
        ],
    )  # fmt: skip
    (api,) = [a for a in bench.published[-1][0].apis if a.subject.id == "azure-openai"]
    (operation,) = [o for o in api.operations if o.subject.id == "mocked"]
    found = [(e.status, e.content_type, e.body) for e in operation.subject.examples]
    assert found == [
        (200, "application/json", '{\n  "x": 1\n}'),
        (200, "application/json", "text"),
        (200, "text/plain", "old"),
    ]
