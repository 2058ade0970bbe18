"""What expressions see of String and what compares strings: declarations over strings.py."""

from __future__ import annotations

from typing import Final

from aforo.csharp.runtime import string_more as m
from aforo.csharp.runtime import strings as s
from aforo.csharp.types import TypeDecl, declare, enumeration, member

# The culture is the invariant one throughout.
_COMPARERS: Final = (
    ("CurrentCulture", 0), ("CurrentCultureIgnoreCase", 1), ("InvariantCulture", 2), ("InvariantCultureIgnoreCase", 3),
    ("Ordinal", 4), ("OrdinalIgnoreCase", 5),
)  # fmt: skip


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "string",
        member("static string Empty", const=""),
        member("int Length", s.length),
        member("char this[int index]", s.char_at),
        member("new(char c, int count)", s.repeat),
        member("new(char[] value)", s.from_chars),
        member("static bool IsNullOrEmpty(string value)", s.is_null_or_empty),
        member("static bool IsNullOrWhiteSpace(string value)", s.is_null_or_white_space),
        member("static string Concat(params string[] values)", s.concat_objects),
        member("static string Concat(params object[] args)", s.concat_objects),
        member("static string Concat<T>(IEnumerable<T> values)", m.concat_each),
        member("static string Join(string separator, params string[] value)", s.join),
        member("static string Join(string separator, params object[] values)", s.join),
        member("static string Join(char separator, params string[] value)", s.join),
        member("static string Join(char separator, params object[] values)", s.join),
        member("static string Join<T>(char separator, IEnumerable<T> values)", m.join_each),
        member("static string Join<T>(string separator, IEnumerable<T> values)", m.join_each),
        member("static string Format(string format, params object[] args)", s.string_format),
        member("static bool Equals(string a, string b)", s.equal),
        member("static bool Equals(string a, string b, StringComparison comparisonType)", s.equal),
        member("static int Compare(string strA, string strB)", s.compare_culture),
        member("static int Compare(string strA, string strB, bool ignoreCase)", s.compare_fold),
        member(
            "static int Compare(string strA, string strB, StringComparison comparisonType)", s.compare_with
        ),
        member("static int CompareOrdinal(string strA, string strB)", s.compare_ordinal),
        member("static string Copy(string str)", s.identity),
        member("static string Intern(string str)", s.identity),
        member(
            "static string Join(string separator, string[] value, int startIndex, int count)", m.join_part
        ),
        member(
            "static int Compare(string strA, int indexA, string strB, int indexB, int length)", m.compare_part
        ),
        member(
            "static int Compare(string strA, int indexA, string strB, int indexB, int length, bool ignoreCase)",
            m.compare_part,
        ),
        member("object Clone()", s.identity),
        member("string Normalize()", m.normalize),
        member("bool IsNormalized()", m.is_normalized),
        member("bool StartsWith(char value)", s.starts_with),
        member("bool EndsWith(char value)", s.ends_with),
        member(
            "string Replace(string oldValue, string newValue, StringComparison comparisonType)",
            m.replace_with,
        ),
        member("int IndexOf(char value, int startIndex, int count)", m.index_of_part),
        member("int IndexOf(string value, int startIndex, int count)", m.index_of_part),
        member("int IndexOfAny(char[] anyOf, int startIndex)", m.index_of_any_from),
        member("int LastIndexOf(string value, int startIndex)", m.last_index_of_from),
        member("int LastIndexOf(char value, int startIndex)", m.last_index_of_from),
        member("int LastIndexOfAny(char[] anyOf)", m.last_index_of_any),
        member("char[] ToCharArray(int startIndex, int length)", m.to_char_array_part),
        member(
            "void CopyTo(int sourceIndex, char[] destination, int destinationIndex, int count)", m.copy_to
        ),
        member("new(char[] value, int startIndex, int length)", m.from_chars_part),
        member("bool Equals(string value)", s.equal),
        member("bool Equals(string value, StringComparison comparisonType)", s.equal),
        member("int CompareTo(string strB)", s.compare_culture),
        member("bool Contains(string value)", s.contains),
        member("bool Contains(string value, StringComparison comparisonType)", s.contains_with),
        member("bool Contains(char value)", s.contains_char),
        member("bool StartsWith(string value)", s.starts_with),
        member("bool StartsWith(string value, StringComparison comparisonType)", s.starts_with),
        member("bool StartsWith(string value, bool ignoreCase)", m.starts_folded),
        member("bool StartsWith(string value, bool ignoreCase, object? culture)", m.starts_folded),
        member("bool EndsWith(string value)", s.ends_with),
        member("bool EndsWith(string value, bool ignoreCase)", m.ends_folded),
        member("bool EndsWith(string value, bool ignoreCase, object? culture)", m.ends_folded),
        member("bool EndsWith(string value, StringComparison comparisonType)", s.ends_with),
        member("int IndexOf(string value)", s.index_of),
        member("int IndexOf(char value)", s.index_of),
        member("int IndexOf(string value, StringComparison comparisonType)", s.index_of),
        member("int IndexOf(string value, int startIndex)", s.index_of_from),
        member("int IndexOf(char value, int startIndex)", s.index_of_from),
        member("int IndexOf(string value, int startIndex, StringComparison comparisonType)", s.index_of_from),
        member("int LastIndexOf(string value)", s.last_index_of),
        member("int LastIndexOf(char value)", s.last_index_of),
        member("int LastIndexOf(string value, StringComparison comparisonType)", s.last_index_of),
        member("int IndexOfAny(char[] anyOf)", s.index_of_any),
        member("string Substring(int startIndex)", s.substring),
        member("string Substring(int startIndex, int length)", s.substring),
        member("string Remove(int startIndex)", s.remove),
        member("string Remove(int startIndex, int count)", s.remove),
        member("string Insert(int startIndex, string value)", s.insert),
        member("string Replace(string oldValue, string newValue)", s.replace),
        member("string Replace(char oldChar, char newChar)", s.replace_char),
        member("string[] Split(params char[] separator)", s.split_chars),
        member("string[] Split(char separator, StringSplitOptions options)", s.split_char_options),
        member("string[] Split(char separator, int count)", s.split_char_limit),
        member("string[] Split(char separator, int count, StringSplitOptions options)", s.split_char_limit),
        member("string[] Split(char[] separator, int count)", s.split_chars),
        member("string[] Split(char[] separator, StringSplitOptions options)", s.split_chars_options),
        member("string[] Split(char[] separator, int count, StringSplitOptions options)", s.split_chars),
        member("string[] Split(string separator)", s.split_string),
        member("string[] Split(string separator, StringSplitOptions options)", s.split_string),
        member("string[] Split(string[] separator, StringSplitOptions options)", s.split_strings),
        member(
            "string[] Split(string[] separator, int count, StringSplitOptions options)", s.split_strings_limit
        ),
        member("string Trim(params char[] trimChars)", s.trim),
        member("string TrimStart(params char[] trimChars)", s.trim_start),
        member("string TrimEnd(params char[] trimChars)", s.trim_end),
        member("string ToLower()", s.to_lower),
        member("string ToLowerInvariant()", s.to_lower),
        member("string ToUpper()", s.to_upper),
        member("string ToUpperInvariant()", s.to_upper),
        member("string PadLeft(int totalWidth)", s.pad_left),
        member("string PadLeft(int totalWidth, char paddingChar)", s.pad_left),
        member("string PadRight(int totalWidth)", s.pad_right),
        member("string PadRight(int totalWidth, char paddingChar)", s.pad_right),
        member("char[] ToCharArray()", s.to_char_array),
        member("string ToString()", s.identity),
        bases=("IEnumerable<char>",),
        python=str,
        aliases=("String",),
    ),
    enumeration("StringComparison", s.StringComparison),
    declare(
        "StringSplitOptions",
        member("static StringSplitOptions None", const=s.StringSplitOptions.Nothing),
        member("static StringSplitOptions RemoveEmptyEntries", const=s.StringSplitOptions.RemoveEmptyEntries),
        member("static StringSplitOptions TrimEntries", const=s.StringSplitOptions.TrimEntries),
        kind="enum",
        python=s.StringSplitOptions,
        default=s.StringSplitOptions.Nothing,
    ),
    declare(
        "StringComparer",
        *(member(f"static StringComparer {name}", const=s.StringComparer(kind)) for name, kind in _COMPARERS),
        member("int Compare(string x, string y)", s.comparer_compare),
        member("bool Equals(string x, string y)", s.comparer_equals),
        member("int GetHashCode(string obj)", s.comparer_hash),
        bases=("IEqualityComparer<string>", "IComparer<string>"),
        python=s.StringComparer,
    ),
    declare("IComparer<T>", namespace="System.Collections.Generic", kind="interface"),
    declare("IEqualityComparer<T>", namespace="System.Collections.Generic", kind="interface"),
)
