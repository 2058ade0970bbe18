"""What expressions see of regular expressions: declarations over regexes.py."""

from __future__ import annotations

from typing import Any, Final

from aforo.csharp.runtime import regexes as r
from aforo.csharp.types import Declared, TypeDecl, declare, member

_RX: Final = "System.Text.RegularExpressions"


def _static(returns: str, name: str, more: str, run: Any) -> tuple[Declared, ...]:
    """A static method in its three forms."""
    head = f"static {returns} {name}(string input, string pattern{more}"
    return (
        member(head + ")", run),
        member(head + ", RegexOptions options)", run),
        member(head + ", RegexOptions options, TimeSpan matchTimeout)", run),
    )


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "Regex",
        member("new(string pattern)", r.Regex),
        member("new(string pattern, RegexOptions options)", r.Regex),
        member("new(string pattern, RegexOptions options, TimeSpan matchTimeout)", r.Regex),
        member("bool IsMatch(string input)", r.is_match),
        member("bool IsMatch(string input, int startat)", r.is_match),
        member("Match Match(string input)", r.match),
        member("Match Match(string input, int startat)", r.match),
        member("MatchCollection Matches(string input)", r.matches),
        member("MatchCollection Matches(string input, int startat)", r.matches),
        member("string Replace(string input, string replacement)", r.regex_replace),
        member("string Replace(string input, string replacement, int count)", r.regex_replace),
        member("string Replace(string input, Func<Match, string> evaluator)", r.regex_replace_with),
        member(
            "string Replace(string input, Func<Match, string> evaluator, int count)", r.regex_replace_with
        ),
        member("string[] Split(string input)", r.regex_split),
        member("string[] Split(string input, int count)", r.regex_split),
        member("string[] GetGroupNames()", r.group_names),
        member("int[] GetGroupNumbers()", r.group_numbers),
        member("int GroupNumberFromName(string name)", r.group_number),
        member("string GroupNameFromNumber(int i)", r.group_name),
        member("RegexOptions Options", r.regex_options),
        member("bool RightToLeft", r.right_to_left),
        *_static("bool", "IsMatch", "", r.static_is_match),
        *_static("Match", "Match", "", r.static_match),
        *_static("MatchCollection", "Matches", "", r.static_matches),
        *_static("string", "Replace", ", string replacement", r.static_replace),
        *_static("string", "Replace", ", Func<Match, string> evaluator", r.static_replace_with),
        *_static("string[]", "Split", "", r.static_split),
        member("static string Escape(string str)", r.regex_escape),
        member("static string Unescape(string str)", r.regex_unescape),
        namespace=_RX,
        python=r.Regex,
    ),
    declare(
        "Capture",
        member("string Value", r.match_value),
        member("int Index", r.match_index),
        member("int Length", r.match_length),
        namespace=_RX,
        python=(r.Match, r.Captured),
    ),
    declare(
        "Group",
        member("bool Success", r.match_success),
        member("string Name", r.match_name),
        member("CaptureCollection Captures", r.match_captures),
        namespace=_RX,
        bases=("Capture",),
        python=r.Match,
    ),
    declare(
        "Match",
        member("static Match Empty", const=r.Match(None)),
        member("GroupCollection Groups", r.match_groups),
        member("Match NextMatch()", r.next_match),
        member("string Result(string replacement)", r.match_result),
        namespace=_RX,
        bases=("Group",),
        python=r.Match,
    ),
    declare(
        "GroupCollection",
        member("int Count", r.group_count),
        member("Group this[int groupnum]", r.group_at),
        member("Group this[string groupname]", r.group_named),
        namespace=_RX,
        bases=("IEnumerable<Group>",),
        python=r.Groups,
    ),
    declare(
        "CaptureCollection",
        member("int Count", len),
        member("Capture this[int i]", r.capture_at),
        namespace=_RX,
        bases=("IEnumerable<Capture>",),
        python=list,
    ),
    declare("MatchCollection", namespace=_RX, bases=("IReadOnlyList<Match>",), python=list),
    declare(
        "RegexOptions",
        *(
            member(f"static RegexOptions {'None' if v == 0 else v.name}", const=v)
            for v in (r.RegexOptions.Nothing, *r.RegexOptions)
        ),
        namespace=_RX,
        kind="enum",
        python=r.RegexOptions,
        default=r.RegexOptions.Nothing,
    ),
)
