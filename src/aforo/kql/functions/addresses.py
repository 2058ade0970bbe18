"""Functions over IPv4 and IPv6 addresses."""

from __future__ import annotations

from aforo.kql.functions.spec import Scalar, scalar
from aforo.kql.types import BOOL, DYNAMIC, LONG, STRING

_TWO = "ip1:string, ip2:string, prefix?:long"

FUNCTIONS: tuple[Scalar, ...] = (
    scalar("parse_ipv4", "ip:string", LONG, "The address (its network, with a prefix) as a number."),
    scalar("parse_ipv4_mask", "ip:string, prefix:long", LONG, "The network of so many bits as a number."),
    scalar("parse_ipv6", "ip:string", STRING, "The address (its network, with a prefix) in full."),
    scalar("parse_ipv6_mask", "ip:string, prefix:long", STRING, "The network of so many bits in full."),
    scalar("format_ipv4", "ip:any, prefix?:long", STRING, "The network of so many bits with points."),
    scalar("format_ipv4_mask", "ip:any, prefix?:long", STRING, "The network of so many bits with points, and its prefix."),
    scalar("ipv4_compare", _TWO, LONG, "-1, 0 or 1, by the bits that the prefixes leave."),
    scalar("ipv4_is_match", _TWO, BOOL, "Whether the bits that the prefixes leave are the same."),
    scalar("ipv4_is_in_range", "ip:string, range:string", BOOL, "Whether the address lies in the range."),
    scalar("ipv4_is_in_any_range", "ip:string, range:string_or_array...", BOOL, "Whether it lies in one of the ranges."),
    scalar("ipv4_is_private", "ip:string", BOOL, "Whether the address is one of a private network."),
    scalar("ipv4_netmask_suffix", "ip:string", LONG, "The bits of its prefix."),
    scalar("ipv4_range_to_cidr_list", "start:string, end:string", DYNAMIC, "The networks that make up the range."),
    scalar("ipv6_compare", _TWO, LONG, "-1, 0 or 1, by the bits that the prefixes leave."),
    scalar("ipv6_is_match", _TWO, BOOL, "Whether the bits that the prefixes leave are the same."),
    scalar("ipv6_is_in_range", "ip:string, range:string", BOOL, "Whether the address lies in the range."),
    scalar("ipv6_is_in_any_range", "ip:string, range:string_or_array...", BOOL, "Whether it lies in one of the ranges."),
    scalar("has_ipv4", "source:string, ip:string", BOOL, "Whether the text has the address, set apart."),
    scalar("has_any_ipv4", "source:string, ip:string_or_array...", BOOL, "Whether the text has one of the addresses."),
    scalar("has_ipv4_prefix", "source:string, prefix:string", BOOL, "Whether the text has an address that begins so."),
    scalar("has_any_ipv4_prefix", "source:string, prefix:string_or_array...", BOOL,
           "Whether the text has an address that begins in one of these ways."),
    scalar("geo_info_from_ip_address", "ip:string", DYNAMIC, "Where the address is, by the operator's own database."),
)  # fmt: skip
