"""Functions over texts, encodings, addresses and formats of their own, with what they give for texts that are none."""

from __future__ import annotations

import pytest

from tests.support.kql_run import answer, mistakes


def values(expressions: list[str]) -> list[object]:
    """What each expression comes to, computed in one query."""
    _, rows = answer("print " + ", ".join(f"v{i} = {e}" for i, e in enumerate(expressions)))
    row: list[object] = rows[0]
    return row


SEARCH = {
    'indexof("abcdefg", "cde", 1, 2)': -1,
    'indexof("abcdefg", "cde", -5)': 2,
    "indexof(1234567, 5, 1, 4)": 4,
    'indexof("abcdefgabcdefg", "cde", 1, 10, 2)': 9,
    'indexof("abcdefgabcdefg", "cde", 1, -1, 3)': -1,
    'indexof("", "a")': -1,
    'indexof_regex("abcabc", "a.c")': 0,
    'indexof_regex("abcabcdefg", "a.c", 0, 9, 2)': 3,
    'indexof_regex("ababaa", "a.a", 0, -1, 2)': -1,
    'indexof_regex("a1b22c333", "[0-9]+", 0, -1, 3)': 6,
    'indexof_regex("abcabc", "a|ab", -1)': None,
    'countof("aaaa", "aa")': 3,
    'countof("ababa", "aba", "regex")': 1,
    'countof("", "a")': 0,
    'translate("krasp", "otsku", "spark")': "kusto",
    'translate("abc", "", "ab")': "",
    'replace_strings("This is", dynamic(["is", "This"]), dynamic(["was", "This"]))': "This was",
    'replace_strings("This is", dynamic(["This", "is"]), dynamic([12345, "was"]))': "This was",
    'replace_strings("a", dynamic(null), dynamic([]))': "a",
    'extract_all("([0-9])?([a-z])", "a1b")': '[["","a"],["1","b"]]',
    'extract_all("(x)", "abc")': None,
    'extract_all("(?P<a>[a-z])(?P<b>[0-9])", dynamic(["b", 1]), "x1y2")': '[["1","x"],["2","y"]]',
    'extract_all("([a-z])([0-9])", dynamic([2]), "x1y2")': '["1","2"]',
    'regex_quote("(so$me.Te^xt)")': "\\(so\\$me\\.Te\\^xt\\)",
    "strcat_delim('-', 1, 'a', 2h, '')": "1-a-02:00:00-",
    "strrep(10, 2)": "1010",
    "strrep('ab', 3, ' ')": "ab ab ab",
    "strcmp(1, '1')": 0,
    "substring(12345, 1, 2)": "23",
    "reverse(1234567)": "7654321",
    "split(12, '2')": '["1",""]',
    "format_bytes(10332, 1)": "10.1 KB",
    "format_bytes(20010332, 0, 'KB')": "19541 KB",
    "format_bytes(0)": "0 Bytes",
    "format_bytes(-2048)": "-2 KB",
    "format_bytes(real(null))": "",
    "isascii('é')": False,
    "trim(' ', '  a b  ')": "a b",
    "trim_start('-', '--a--')": "a--",
    "trim_end('ab', 'xabab')": "x",
    "trim('', 'a')": "a",
}

ENCODED = {
    "url_encode('https://www.bing.com/hello world/')": "https%3a%2f%2fwww.bing.com%2fhello+world%2f",
    "url_encode_component('a b/')": "a%20b%2f",
    "url_decode('a+b%20c%zz')": "a b c%zz",
    "base64_decode_tostring('!!')": "",
    "base64_decode_toarray('S3VzdG8=')": "[75,117,115,116,111]",
    "base64_decode_toarray('S3VzdG8')": None,
    "base64_encode_fromarray(dynamic([300]))": "",
    "base64_encode_fromguid(toguid('ae3133f2-6e22-49ae-b06a-16e6a9b212eb'))": "8jMxriJurkmwahbmqbIS6w==",
    "base64_decode_toguid('8jMxriJurkmwahbmqbIS6w==')": "ae3133f2-6e22-49ae-b06a-16e6a9b212eb",
    "base64_decode_toguid('abcd')": None,
    "unicode_codepoints_from_string('')": "[]",
    "unicode_codepoints_to_string(75, dynamic([117,115]), 116)": "Kust",
    "make_string(55296)": "",
    "punycode_from_string('académie-française')": "acadmie-franaise-npb1a",
    "punycode_domain_to_string('xn--acadmie-franaise-npb1a.fr')": "académie-française.fr",
    "punycode_to_string('999999999')": "",
    "hash('World')": 1846988464401551951,
    "hash('World', 100)": 51,
    "hash(datetime(2015-01-01))": 1380966698541616202,
    "hash(long(null))": None,
    "hash_xxhash64('Hello')": 753694413698530628,
    "hash_md5(datetime(2020-01-01))": "786c530672d1f8db31fee25ea8a9390b",
}

ADDRESSES = {
    "ipv4_compare('192.168.1.1/24', '192.168.1.255/24')": 0,
    "ipv4_compare('2.1.1.1', '1.1.1.1')": 1,
    "ipv4_compare('1.1.1.1', '1.1.1.1', 33)": None,
    "ipv4_is_match('192.168.1.1', '192.168.1.255', 24)": True,
    "ipv4_is_match('x', '1.1.1.1')": None,
    "ipv4_is_in_range('192.168.1.1', '192.168.2.1/24')": False,
    "ipv4_is_in_range('bad', '1.1.1.1')": None,
    "ipv4_is_in_any_range('127.0.0.1', dynamic(['10.0.0.0/8', '127.0.0.1']))": True,
    "ipv4_is_in_any_range('127.0.0.1', dynamic([]))": False,
    "ipv4_is_in_any_range('1.1.1.1', 'bad')": None,
    "ipv4_is_private('172.32.0.1')": False,
    "ipv4_netmask_suffix('10.1.2.3/24')": 24,
    "parse_ipv4('192.1.168.3/31')": 3221334018,
    "parse_ipv4('256.1.1.1')": None,
    "parse_ipv4_mask('192.1.168.3/24', 31)": 3221334016,
    "parse_ipv6('192.168.255.255/24')": "0000:0000:0000:0000:0000:ffff:c0a8:ff00",
    "parse_ipv6('x')": "",
    "parse_ipv6_mask('::1', 129)": "",
    "format_ipv4(3232236031, 24)": "192.168.1.0",
    "format_ipv4('192.168.1.1/24', 32)": "192.168.1.0",
    "format_ipv4('192.168.1.1', -1)": "",
    "format_ipv4_mask('192.168.1.1', 24)": "192.168.1.0/24",
    "ipv4_range_to_cidr_list('1.1.128.0', '1.1.140.255')": '["1.1.128.0/21","1.1.136.0/22","1.1.140.0/24"]',
    "ipv4_range_to_cidr_list('0.0.0.0', '255.255.255.255')": '["0.0.0.0/0"]',
    "ipv4_range_to_cidr_list('2.0.0.0', '1.0.0.0')": None,
    "has_ipv4('05:04:54127.0.0.1 GET', '127.0.0.1')": False,
    "has_ipv4_prefix('05:04:54 127.0.0.1 GET', '127.0')": False,
    "has_ipv4_prefix('05:04:54 127.0.0.256 GET', '127.0.')": False,
    "has_any_ipv4('a 127.0.0.1 b', dynamic(['127.0.0.2', '127.0.0.1']))": True,
    "has_any_ipv4_prefix('a 127.0.0.1 b', '127.1.', '127.0.')": True,
    "ipv6_compare('::1', '::2')": -1,
    "ipv6_is_match('fe80::1', 'fe80::2', 64)": True,
    "ipv6_is_in_range('::1', '::/64')": True,
    "ipv6_is_in_any_range('10.0.0.1', '::1', '10.0.0.0/8')": True,
}

FORMATS = {
    "parse_csv('a,\"b,c\",,d')": '["a","b,c","","d"]',
    "parse_csv('record1,a\\nrecord2,b')": '["record1","a"]',
    'parse_csv(\'"a""b"\')': '["a\\"b"]',
    "parse_xml('<e name=\"v\">t</e>')": '{"e":{"@name":"v","#text":"t"}}',
    "parse_xml('<e> <a>1</a> <a>2</a> <b/> </e>')": '{"e":{"a":["1","2"],"b":null}}',
    "parse_xml('<a>')": None,
    "parse_xml('<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>')": None,
    "parse_urlquery('k1=v1&k2=a%20b').['Query Parameters'].k2": "a b",
    "parse_path(@'C:\\temp\\file.tar.gz').Extension": "gz",
    "parse_path('file://C:/temp/file.txt:some.exe').AlternateDataStreamName": "some.exe",
    "parse_path('').Filename": "",
    "parse_version('0.1.2.0')": "10000000200000000",
    "parse_version('1') == parse_version('1.0.0.0')": True,
    "parse_version('1.2') < parse_version('1.10')": True,
    "parse_version('1.2.3.4.5')": None,
    "parse_version('123456789')": None,
    "parse_version('99999999.0.0.1')": "99999999000000000000000000000001",
    "parse_version('2024.10.1') > parse_version('99.9')": True,
    "max_of(parse_version('100'), parse_version('2024'))": "2024000000000000000000000000",
    'parse_command_line("echo \\"hello world!\\"", "windows")': '["echo","hello world!"]',
    'parse_command_line(@"a\\\\b ""c d"" \\""e", "windows")': '["a\\\\\\\\b","c d","\\"e"]',
    'parse_command_line("", "windows")': "[]",
}


@pytest.mark.parametrize(
    "cases", [SEARCH, ENCODED, ADDRESSES, FORMATS], ids=["search", "encoded", "addresses", "formats"]
)
def test_values(cases: dict[str, object]) -> None:
    got = values(list(cases))
    wrong = {
        e: (mine, wanted) for (e, wanted), mine in zip(cases.items(), got, strict=True) if mine != wanted
    }
    assert not wrong


def test_user_agents() -> None:
    pytest.importorskip("ua_parser")
    agent = "Mozilla/5.0 (Windows; U; en-US) AppleWebKit/531.9 (KHTML, like Gecko) AdobeAIR/2.5.1"
    found = values(
        [f"parse_user_agent('{agent}', 'browser').Browser", "parse_user_agent('x', dynamic(['device']))"]
    )
    assert found == [
        '{"Family":"AdobeAIR","MajorVersion":"2","MinorVersion":"5","Patch":"1"}',
        '{"Device":{"Family":"Other","Brand":"","Model":""}}',
    ]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ('countof("a", "a", "foo")', "'normal' or 'regex'"),
        ('indexof_regex("a", "x*")', "matches an empty text"),
        ('extract_all("a", "a")', "has 0 groups"),
        ('extract_all("(a)", dynamic([2]), "a")', "has no group 2"),
        ('parse_command_line("a", "bash")', "there is no system 'bash'"),
        ('format_bytes(1, 1, "XX")', "there is no unit 'XX'"),
        ("hash(dynamic([1]))", "hash() of a dynamic value is not supported"),
        ("hash_many('a', 'b')", "not supported"),
        ('parse_user_agent("x", "brwser")', "'browser', 'os', 'device'"),
    ],
)
def test_mistakes(expression: str, said: str) -> None:
    assert said in " ".join(mistakes(f"print {expression}"))
