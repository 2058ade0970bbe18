"""Hashes, HMACs, ciphers, signatures and certificates, against published vectors and against each other."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.support.expressions import evaluate, thrown


def _bytes(hexadecimal: str) -> str:
    return f'Convert.FromBase64String("{base64.b64encode(bytes.fromhex(hexadecimal)).decode()}")'


def _hex(expression: str) -> str:
    return f'BitConverter.ToString({expression}).Replace("-", "").ToLower()'


_UTF8 = 'Encoding.UTF8.GetBytes("{}")'.format
_JEFE = _UTF8("what do ya want for nothing?")

VECTORS = [
    # RFC 1321, A.5.
    ('MD5.Create().ComputeHash(Encoding.UTF8.GetBytes("abc"))', "900150983cd24fb0d6963f7d28e17f72"),
    # FIPS 180-4 examples, "abc".
    ('SHA1.Create().ComputeHash(Encoding.UTF8.GetBytes("abc"))', "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (
        'new SHA256Managed().ComputeHash(Encoding.UTF8.GetBytes("abc"))',
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    (
        'HashAlgorithm.Create("SHA384").ComputeHash(Encoding.UTF8.GetBytes("abc"))',
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    ),
    (
        'SHA512.Create().ComputeHash(Encoding.UTF8.GetBytes("xabc"), 1, 3)',
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    # RFC 2202, test case 2; RFC 4231, test case 2 (the key is "Jefe").
    (f"new HMACMD5({_UTF8('Jefe')}).ComputeHash({_JEFE})", "750c783e6ab0b503eaa86e310a5db738"),
    (f"new HMACSHA1({_UTF8('Jefe')}).ComputeHash({_JEFE})", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    (
        f"new HMACSHA256({_UTF8('Jefe')}).ComputeHash({_JEFE})",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        f"new System.Security.Cryptography.HMACSHA384({_UTF8('Jefe')}).ComputeHash({_JEFE})",
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
    ),
    (
        f"new HMACSHA512({_UTF8('Jefe')}).ComputeHash({_JEFE})",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    ),
]

_PLAIN = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
_IV = "000102030405060708090a0b0c0d0e0f"
_AES = {
    128: "2b7e151628aed2a6abf7158809cf4f3c",
    192: "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
    256: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
}

CIPHERS = [
    # NIST SP 800-38A, F.2.1, F.2.3, F.2.5 (CBC) and F.1.1 (ECB): the first two blocks; the padding's is cut off.
    (128, "CBC", "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"),
    (192, "CBC", "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"),
    (256, "CBC", "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"),
    (128, "ECB", "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"),
    # F.3.7 (CFB8): the first two bytes.
    (128, "CFB", "3b79"),
]


@pytest.mark.parametrize(("text", "result"), VECTORS, ids=[t for t, _ in VECTORS])
def test_hashes(text: str, result: str) -> None:
    assert evaluate(_hex(text)) == result


@pytest.mark.parametrize(("size", "mode", "result"), CIPHERS)
def test_ciphers(size: int, mode: str, result: str) -> None:
    text = f"""{{
        var aes = SymmetricAlgorithm.Create("Aes");
        aes.Mode = CipherMode.{mode};
        var made = {_bytes(_PLAIN)}.Encrypt(aes, {_bytes(_AES[size])}, {_bytes(_IV)});
        var back = made.Decrypt(aes, {_bytes(_AES[size])}, {_bytes(_IV)});
        return {_hex("made")}.Substring(0, {len(result)}) + {_hex("back")};
    }}"""
    assert evaluate(text) == result + _PLAIN


def test_ciphers_by_name_and_with_keys_of_their_own() -> None:
    key, iv = _bytes(_AES[256]), _bytes(_IV)
    assert evaluate(_hex(f'{_bytes(_PLAIN)}.Encrypt("Aes", {key}, {iv})')).startswith(CIPHERS[2][2])
    own = 'using (var aes = Aes.Create()) { return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes("hé").Encrypt(aes).Decrypt(aes)) + aes.KeySize + aes.BlockSize; }'
    assert evaluate("{" + own + "}") == "hé256128"
    transform = f"{{ var a = Aes.Create(); a.Padding = PaddingMode.None; var t = a.CreateEncryptor({key}, {iv}); return {_hex(f't.TransformFinalBlock({_bytes(_PLAIN)}, 0, 32)')}; }}"
    assert evaluate(transform) == CIPHERS[2][2]
    # The 3DES of FIPS 46-3 with one key thrice is DES: the vector of NBS SP 500-20 for an all-01 key.
    des = f'{{ var d = SymmetricAlgorithm.Create("TripleDES"); d.Mode = CipherMode.ECB; d.Padding = PaddingMode.None; return {_hex("new byte[] {0x80,0,0,0,0,0,0,0}.Encrypt(d, " + _bytes("01" * 24) + ", null)")}; }}'
    assert evaluate(des) == "95f8a5e5dd31d900"


CRYPTO_THROWN = [
    ('new byte[0].Encrypt("Aes", new byte[5], new byte[16])', "CryptographicException"),
    ('new byte[0].Encrypt("Aes", new byte[16], new byte[5])', "CryptographicException"),
    ('new byte[15].Decrypt("Aes", new byte[16], new byte[16])', "CryptographicException"),
    ('new byte[16].Decrypt("Aes", new byte[16], new byte[16])', "CryptographicException"),
    ('new byte[0].Encrypt("Rot13", new byte[16], new byte[16])', "NullReferenceException"),
    ("MD5.Create().ComputeHash(null)", "ArgumentNullException"),
    ("SHA256.Create().Hash", "CryptographicException"),
    ("new X509Certificate2(new byte[9])", "CryptographicException"),
    ("new X509Certificate2(new byte[0])", "ArgumentException"),
]


@pytest.mark.parametrize(("text", "name"), CRYPTO_THROWN)
def test_crypto_exceptions(text: str, name: str) -> None:
    assert thrown(text) == name


def test_hashes_in_pieces_and_random_bytes() -> None:
    pieces = 'var h = SHA256.Create(); var b = Encoding.UTF8.GetBytes("abc"); h.TransformBlock(b, 0, 2, null, 0); h.TransformFinalBlock(b, 2, 1); return {} + h.HashSize;'
    assert evaluate("{" + pieces.format(_hex("h.Hash")) + "}") == VECTORS[2][1] + "256"
    random = "using (var r = new RNGCryptoServiceProvider()) { var b = new byte[64]; r.GetNonZeroBytes(b); var z = b.All(x => x != 0); r.GetBytes(b); return z.ToString() + b.Distinct().Count().ToString().Length; }"
    assert evaluate("{" + random + "}") == "True2"


@pytest.fixture(scope="module")
def pfx() -> str:
    """A PKCS #12 file with an RSA certificate, in Base64; the password is `p`."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Bayern"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example, Inc."),
            x509.NameAttribute(NameOID.COMMON_NAME, "client.example"),
        ]
    )
    start = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0xF1A2)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    data = serialization.pkcs12.serialize_key_and_certificates(
        b"n", key, cert, None, serialization.BestAvailableEncryption(b"p")
    )
    return base64.b64encode(data).decode()


def test_a_certificate_and_its_key(pfx: str) -> None:
    start = f'var c = new X509Certificate2(Convert.FromBase64String("{pfx}"), "p", X509KeyStorageFlags.MachineKeySet);'
    shown = """return string.Join("|", c.Subject, c.Issuer == c.Subject, c.SerialNumber, c.NotBefore.ToString("s"), c.NotAfter,
        c.Version, c.HasPrivateKey, c.GetNameInfo(X509NameType.SimpleName, false), c.GetNameInfo(X509NameType.DnsName, true),
        c.SignatureAlgorithm.FriendlyName, c.PublicKey.Oid.FriendlyName, c.Thumbprint == c.GetCertHashString(), c.Verify());"""
    assert evaluate("{" + start + shown + "}") == "|".join(
        (
            'CN=client.example, O="Example, Inc.", S=Bayern, C=DE', "True", "00F1A2", "2024-01-02T03:04:05",
            "01/03/2024 03:04:05", "3", "True", "client.example", "client.example", "sha256RSA", "RSA", "True", "False",
        )
    )  # fmt: skip
    for padding in ("Pkcs1", "Pss"):
        signs = f"""var data = Encoding.UTF8.GetBytes("x");
            var s = c.GetRSAPrivateKey().SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.{padding});
            var good = c.GetRSAPublicKey().VerifyData(data, s, HashAlgorithmName.SHA256, RSASignaturePadding.{padding});
            s[0] ^= 1;
            return good + "" + c.GetRSAPublicKey().VerifyData(data, s, HashAlgorithmName.SHA256, RSASignaturePadding.{padding}) + s.Length;"""
        assert evaluate("{" + start + signs + "}") == "TrueFalse256"
    crypts = 'var k = c.GetRSAPrivateKey() as RSACng; return Encoding.UTF8.GetString(k.Decrypt(c.GetRSAPublicKey().Encrypt(Encoding.UTF8.GetBytes("é"), RSAEncryptionPadding.OaepSHA256), RSAEncryptionPadding.OaepSHA256)) + k.KeySize;'
    assert evaluate("{" + start + crypts + "}") == "é2048"
    cast = "var k = (RSA)c.PrivateKey; return c.GetRSAPublicKey().VerifyData(new byte[1], k.SignData(new byte[1], HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);"
    assert evaluate("{" + start + cast + "}") == "True"
    # A certificate without its key has none.
    public = 'var p = new X509Certificate2(c.Export(X509ContentType.Cert)); return p.Equals(c) + "" + p.HasPrivateKey + (p.GetRSAPrivateKey() == null) + (p.PrivateKey == null);'
    assert evaluate("{" + start + public + "}") == "TrueFalseTrueTrue"
    assert thrown(f'new X509Certificate2(Convert.FromBase64String("{pfx}"), "q")') == "CryptographicException"


def test_many_signatures_end(pfx: str) -> None:
    loop = f'{{ var k = new X509Certificate2(Convert.FromBase64String("{pfx}"), "p").GetRSAPrivateKey(); while (true) {{ k.SignData(new byte[1], HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1); }} }}'
    assert thrown(loop) == "LimitExceeded"
    assert (
        thrown("{ var b = new byte[1000000]; while (true) { MD5.Create().ComputeHash(b); } }")
        == "LimitExceeded"
    )
