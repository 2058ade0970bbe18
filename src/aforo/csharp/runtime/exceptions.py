"""The exceptions of .NET that expressions can meet, throw and catch; their Python names are their .NET names.

Anything else that is raised while an expression runs is either a limit (limits.py) or a bug of ours.
"""

from __future__ import annotations

from typing import TypeVar

_T = TypeVar("_T")


class CsException(Exception):  # noqa: N818 - System.Exception, the root of what `catch` can catch
    """`System.Exception`. `message` is what `ex.Message` gives."""

    net_name = "System.Exception"
    default = "Exception of type 'System.Exception' was thrown."

    def __init__(self, message: str | None = None, inner: CsException | None = None) -> None:
        self.message = self.default if message is None else message
        self.inner = inner
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.net_name}: {self.message}"


class SystemException(CsException):
    net_name = "System.SystemException"


class NullReferenceException(SystemException):
    net_name = "System.NullReferenceException"
    default = "Object reference not set to an instance of an object."


class InvalidCastException(SystemException):
    net_name = "System.InvalidCastException"
    default = "Specified cast is not valid."


class InvalidOperationException(SystemException):
    net_name = "System.InvalidOperationException"
    default = "Operation is not valid due to the current state of the object."


class NotSupportedException(SystemException):
    net_name = "System.NotSupportedException"
    default = "Specified method is not supported."


class IndexOutOfRangeException(SystemException):
    net_name = "System.IndexOutOfRangeException"
    default = "Index was outside the bounds of the array."


class KeyNotFoundException(SystemException):
    net_name = "System.Collections.Generic.KeyNotFoundException"
    default = "The given key was not present in the dictionary."


class ArgumentException(SystemException):
    net_name = "System.ArgumentException"
    default = "Value does not fall within the expected range."


class ArgumentNullException(ArgumentException):
    net_name = "System.ArgumentNullException"
    default = "Value cannot be null."


class ArgumentOutOfRangeException(ArgumentException):
    net_name = "System.ArgumentOutOfRangeException"
    default = "Specified argument was out of the range of valid values."


class FormatException(SystemException):
    net_name = "System.FormatException"
    default = "Input string was not in a correct format."


class UriFormatException(FormatException):
    net_name = "System.UriFormatException"
    default = "Invalid URI: The format of the URI could not be determined."


class ArithmeticException(SystemException):
    net_name = "System.ArithmeticException"
    default = "Overflow or underflow in the arithmetic operation."


class OverflowException(ArithmeticException):
    net_name = "System.OverflowException"
    default = "Arithmetic operation resulted in an overflow."


class DivideByZeroException(ArithmeticException):
    net_name = "System.DivideByZeroException"
    default = "Attempted to divide by zero."


class RegexMatchTimeoutException(SystemException):
    net_name = "System.Text.RegularExpressions.RegexMatchTimeoutException"
    default = "The Regex engine has timed out while trying to match a pattern to an input string."


class CryptographicException(SystemException):
    net_name = "System.Security.Cryptography.CryptographicException"
    default = "Error occurred during a cryptographic operation."


class XmlException(SystemException):
    net_name = "System.Xml.XmlException"
    default = "An XML error has occurred."


class XPathException(SystemException):
    net_name = "System.Xml.XPath.XPathException"


class TimeZoneNotFoundException(CsException):
    net_name = "System.TimeZoneNotFoundException"


class InvalidTimeZoneException(CsException):
    net_name = "System.InvalidTimeZoneException"


class JsonException(CsException):
    net_name = "Newtonsoft.Json.JsonException"


class JsonReaderException(JsonException):
    net_name = "Newtonsoft.Json.JsonReaderException"


class JsonSerializationException(JsonException):
    net_name = "Newtonsoft.Json.JsonSerializationException"


def given(value: _T | None, name: str = "value") -> _T:
    """An argument that .NET refuses to take null for."""
    if value is None:
        raise ArgumentNullException(f"Value cannot be null.\r\nParameter name: {name}")
    return value


def null_reference() -> None:
    """Raised where a member of null is asked for."""
    raise NullReferenceException


def throw(error: CsException | None) -> None:
    """`throw` in an expression; throwing null is a NullReferenceException."""
    raise error if error is not None else NullReferenceException()
