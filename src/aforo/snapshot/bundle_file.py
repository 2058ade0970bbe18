"""The published bundle as a file: signed, replaced atomically, read by every gateway. It knows no graph.

Layout: 8 bytes of magic, the version (8 bytes, big-endian), HMAC-SHA256 over all that follows and the version
(32 bytes), then the bundle's MessagePack. A gateway that polls reads the first 16 bytes only.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import msgspec

from aforo.errors import Invalid
from aforo.private_files import write_private
from aforo.snapshot.snapshot import Bundle, decode, encode

MAGIC = b"AFORO\x00B\x01"
CURRENT = "current.bundle"
LAST_GOOD = "last-good.bundle"  # what a gateway had in force last
SIGNING_PURPOSE = "snapshot-signature"  # `identity.seal.subkey`
SEALING_PURPOSE = "snapshot"
_HEAD = len(MAGIC) + 8
_SIGNATURE_BYTES = 32


def save(bundle: Bundle, path: Path, key: bytes) -> None:
    """Write the bundle (mode 0600, durable): a reader sees the old one or the new one."""
    version = bundle.version.to_bytes(8, "big")
    payload = encode(bundle)
    write_private(path, b"".join((MAGIC, version, _signature(key, version, payload), payload)))


def load(path: Path, key: bytes) -> Bundle:
    """The bundle of that file. FileNotFoundError; Invalid when it is none, was changed or has another key."""
    data = path.read_bytes()
    if data[: len(MAGIC)] != MAGIC or len(data) < _HEAD + _SIGNATURE_BYTES:
        raise Invalid(f"{path.name} is not a bundle of this version", code="BundleBroken")
    version, signature = data[len(MAGIC) : _HEAD], data[_HEAD : _HEAD + _SIGNATURE_BYTES]
    payload = data[_HEAD + _SIGNATURE_BYTES :]
    if not hmac.compare_digest(signature, _signature(key, version, payload)):
        raise Invalid(f"the signature of {path.name} is not right", code="BundleBroken")
    try:
        bundle = decode(payload)
    except msgspec.MsgspecError as error:
        raise Invalid(f"{path.name} cannot be read: {error}", code="BundleBroken") from error
    if bundle.version != int.from_bytes(version, "big"):
        raise Invalid(f"{path.name} says two versions", code="BundleBroken")
    return bundle


def version_of(path: Path) -> int:
    """The version that stands in the file's head, 0 when there is no file: for polling, it proves nothing."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        return 0
    return int.from_bytes(head[len(MAGIC) :], "big") if len(head) == _HEAD else 0


def _signature(key: bytes, version: bytes, payload: bytes) -> bytes:
    signed = hmac.new(key, MAGIC + version, hashlib.sha256)
    signed.update(payload)
    return signed.digest()
