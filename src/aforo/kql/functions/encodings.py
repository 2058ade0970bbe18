"""Functions that encode: URLs, base64, code points, punycode, packing; and hashes."""

from __future__ import annotations

from aforo.kql.functions.spec import Scalar, scalar
from aforo.kql.types import DYNAMIC, GUID, STRING

FUNCTIONS: tuple[Scalar, ...] = (
    scalar("url_encode", "text:string", STRING, "The text with reserved characters as %xx, spaces as +."),
    scalar("url_encode_component", "text:string", STRING, "The text with reserved characters as %xx, spaces as %20."),
    scalar("url_decode", "text:string", STRING, "The text with %xx and + decoded."),
    scalar("base64_encode_tostring", "text:string", STRING, "The text's UTF-8 bytes in base64."),
    scalar("base64_encodestring", "text:string", STRING, "The same by its old name.", operation="base64_encode_tostring"),
    scalar("base64_decode_tostring", "text:string", STRING, "The text whose UTF-8 bytes these are."),
    scalar("base64_decodestring", "text:string", STRING, "The same by its old name.", operation="base64_decode_tostring"),
    scalar("base64_decode_toarray", "text:string", DYNAMIC, "The bytes as an array of numbers."),
    scalar("base64_encode_fromarray", "bytes:dynamic", STRING, "An array of bytes in base64."),
    scalar("base64_decode_toguid", "text:string", GUID, "The GUID of these bytes."),
    scalar("base64_encode_fromguid", "guid:guid", STRING, "The GUID's bytes in base64."),
    scalar("unicode_codepoints_from_string", "text:text", DYNAMIC, "The numbers of the characters."),
    scalar("to_utf8", "text:text", DYNAMIC, "The same by its old name.", operation="unicode_codepoints_from_string"),
    scalar("unicode_codepoints_to_string", "point:integer_or_array...", STRING, "The text of these characters."),
    scalar("make_string", "point:integer_or_array...", STRING, "The same by its old name.",
           operation="unicode_codepoints_to_string"),
    scalar("punycode_from_string", "text:string", STRING, "The text in punycode."),
    scalar("punycode_to_string", "text:string", STRING, "The text that punycode stands for."),
    scalar("punycode_domain_from_string", "domain:string", STRING, "A name of a host in the form that it is looked up by."),
    scalar("punycode_domain_to_string", "domain:string", STRING, "A name of a host as people read it."),
    scalar("gzip_compress_to_base64_string", "text:string", STRING, "The text packed with gzip, as base64."),
    scalar("gzip_decompress_from_base64_string", "text:string", STRING, "What gzip packed, unpacked."),
    scalar("zlib_compress_to_base64_string", "text:string", STRING, "The text packed with zlib, as base64."),
    scalar("zlib_decompress_from_base64_string", "text:string", STRING, "What zlib packed, unpacked."),
    scalar("hash_md5", "value:any", STRING, "MD5 in hexadecimal."),
    scalar("hash_sha1", "value:any", STRING, "SHA-1 in hexadecimal."),
    scalar("hash_sha256", "value:any", STRING, "SHA-256 in hexadecimal."),
)  # fmt: skip
