"""Reading a JSON object field by field: the value, or the first mistake in OpenAI's words. It knows no operation."""

from __future__ import annotations

from typing import Any

from aforo.account.faults import Fault, invalid

_NAMES = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    list: "an array",
    dict: "an object",
}


class Fields:
    """The fields of a request's body. A null counts as absent; `fault` is the first mistake that was met."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = {name: value for name, value in body.items() if value is not None}
        self.fault: Fault | None = None

    def unknown(self, known: frozenset[str]) -> list[str]:
        """Names that are not among the known ones."""
        return [name for name in self._body if name not in known]

    def wrong(self, param: str, message: str, code: str | None = "invalid_value") -> None:
        """Remember a mistake, unless there was one already."""
        if self.fault is None:
            self.fault = invalid(message, param, code)

    def any(self, name: str) -> Any:
        return self._body.get(name)

    def text(self, name: str) -> str | None:
        value = self._body.get(name)
        if value is None or isinstance(value, str):
            return value
        self._type(name, "a string", value)
        return None

    def flag(self, name: str) -> bool:
        value = self._body.get(name, False)
        if isinstance(value, bool):
            return value
        self._type(name, "a boolean", value)
        return False

    def whole(self, name: str, least: int, most: int | None = None) -> int | None:
        value = self._body.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self._type(name, "an integer", value)
            return None
        self._range(name, value, least, most, "integer")
        return value

    def number(self, name: str, least: float, most: float) -> float | None:
        value = self._body.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self._type(name, "a decimal", value)
            return None
        self._range(name, value, least, most, "decimal")
        return float(value)

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        """One string, or up to `most` of them."""
        value = self._body.get(name)
        if value is None:
            return ()
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list):
            self._type(name, "a string or an array of strings", value)
            return ()
        if len(value) > most:
            self.wrong(
                name,
                f"Invalid '{name}': array too long. Expected at most {most} items, but got {len(value)}.",
            )
        for i, item in enumerate(value):
            if not isinstance(item, str):
                self._type(f"{name}[{i}]", "a string", item)
                return ()
        return tuple(value)

    def _range(self, name: str, value: float, least: float, most: float | None, kind: str) -> None:
        if value < least:
            text = f"Invalid '{name}': {kind} below minimum value. Expected a value >= {least}, but got {value} instead."
            self.wrong(name, text, f"{kind}_below_min_value")
        elif most is not None and value > most:
            text = f"Invalid '{name}': {kind} above maximum value. Expected a value <= {most}, but got {value} instead."
            self.wrong(name, text, f"{kind}_above_max_value")

    def _type(self, name: str, expected: str, value: object) -> None:
        got = _NAMES.get(type(value), "null")
        self.wrong(
            name, f"Invalid type for '{name}': expected {expected}, but got {got} instead.", "invalid_type"
        )
