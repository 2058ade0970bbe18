"""The certificate of the listeners: taken up when it changes, and only together with its key."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from aforo.app.certificates import Certificate
from aforo.errors import Invalid
from tests.support.certificates import certificate


def shown(context: ssl.SSLContext) -> bytes:
    """The certificate that a handshake with this context shows, without a socket."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = context.wrap_bio(to_server, to_client, server_side=True)
    here = client.wrap_bio(to_client, to_server)
    for _ in range(5):
        for side in (here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return here.getpeercert(binary_form=True) or b""


def der(chain: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(chain.read_text())


def replace(target: Path, source: Path, stamp: int) -> None:
    target.write_bytes(source.read_bytes())
    os.utime(target, (stamp, stamp))


def test_a_changed_pair_is_taken_up_and_half_a_pair_is_not(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "old")
    new_chain, new_key = certificate(tmp_path, "new")
    old = der(chain)
    serving = Certificate(chain, key)
    assert shown(serving.context) == old
    assert not serving.reload()
    replace(chain, new_chain, 1)
    assert not serving.reload()
    assert shown(serving.context) == old
    replace(key, new_key, 2)
    assert serving.reload()
    assert shown(serving.context) == der(new_chain)
    assert not serving.reload()
    chain.unlink()
    assert not serving.reload()
    assert shown(serving.context) == der(new_chain)


def test_what_is_no_certificate_is_named(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "a")
    _, other = certificate(tmp_path, "b")
    for wrong in (other, chain):
        with pytest.raises(Invalid, match=r"a\.pem"):
            Certificate(chain, wrong)
    with pytest.raises(Invalid):
        Certificate(key, chain)
