"""Functions that read texts in formats of their own."""

from __future__ import annotations

from aforo.kql.functions.spec import Naming, Scalar, scalar
from aforo.kql.types import DECIMAL, DYNAMIC, STRING

FUNCTIONS: tuple[Scalar, ...] = (
    scalar("parse_csv", "text:string", DYNAMIC, "The fields of the first record of a CSV text.",
           naming=Naming.FIRST_ARGUMENT),
    scalar("parse_xml", "text:string", DYNAMIC, "Elements, attributes (`@name`) and texts (`#text`) of an XML text.",
           naming=Naming.FIRST_ARGUMENT),
    scalar("parse_url", "url:string", DYNAMIC, "The parts of a URL."),
    scalar("parseurl", "url:string", DYNAMIC, "The parts of a URL.", operation="parse_url"),
    scalar("parse_urlquery", "query:string", DYNAMIC, "The parameters of a URL's query."),
    scalar("parseurlquery", "query:string", DYNAMIC, "The parameters of a URL's query.", operation="parse_urlquery"),
    scalar("parse_path", "path:string", DYNAMIC, "The parts of a file's path."),
    scalar("parse_version", "version:string", DECIMAL, "A version as a number that compares as versions do."),
    scalar("parse_command_line", "command:text, system:string", DYNAMIC, "The arguments of a command, as Windows has them."),
    scalar("parse_user_agent", "user_agent:string, look_for?:string_or_array", DYNAMIC, "Browser, system and device."),
    scalar("dynamic_to_json", "value:any", STRING, "The canonical text of a value, names in order."),
)  # fmt: skip
