"""Every scalar function over the least, the greatest and the oddest values of its types: none makes the engine fail, and
constants, which the engine folds, come to the same as columns."""

from __future__ import annotations

import random
from collections.abc import Iterator

import duckdb
import pytest

from aforo.kql.compile import compile_query
from aforo.kql.functions.catalog import SCALARS
from aforo.kql.functions.forms import FORMS
from aforo.kql.functions.spec import Scalar
from aforo.kql.types import KqlType
from aforo.source import Source
from tests.support.kql_lab import DATABASE, NOW, lab

VALUES = {
    KqlType.BOOL: ("true", "false", "bool(null)"),
    KqlType.INT: ("int(0)", "int(-1)", "int(2147483647)", "int(-2147483648)", "int(null)", "int(7)"),
    KqlType.LONG: ("0", "-1", "3", "90", "3000000000", "9223372036854775807", "-9223372036854775807", "long(null)"),
    KqlType.REAL: ("0.0", "-1.5", "45.0", "1e300", "-1e-300", "real(nan)", "real(+inf)", "real(-inf)", "real(null)"),
    KqlType.DECIMAL: ("decimal(0)", "decimal(-1.5)", "decimal(99999999999999999999)", "decimal(null)"),
    KqlType.STRING: ('""', '"a"', '"10.0.0.1/8"', '"Zoë 🙂 x"', '"1.5"', '"a,b"', '"{\\"a\\":1}"', '"%41+b"'),
    KqlType.DATETIME: (
        "datetime(2024-02-29 13:14:15.1234567)",
        "datetime(0001-01-01)",
        "datetime(9999-12-31 23:59:59.9999999)",
        "datetime(null)",
    ),
    KqlType.TIMESPAN: ("1h", "-1tick", "time(10675199.02:48:05.4775807)", "time(null)", "0s", "1d"),
    KqlType.GUID: ("guid(74be27de-1e4e-49d9-b579-fe0b331d3642)", "guid(null)"),
    KqlType.DYNAMIC: (
        "dynamic(null)",
        "dynamic([1,2,3])",
        "dynamic([])",
        'dynamic({"a":1,"b":{"c":[1]}})',
        'dynamic("x")',
        "dynamic(5)",
        'dynamic([null,"a",1.5])',
        "dynamic([[1],[2]])",
    ),
}  # fmt: skip
ROUNDS = 2


def calls(declared: Scalar, chance: random.Random) -> Iterator[list[tuple[KqlType, str]]]:
    """Arguments that the declaration lets pass, with their types."""
    for _ in range(ROUNDS):
        count = chance.randint(declared.count[0], len(declared.parameters))
        taken = []
        for parameter in declared.parameters[:count]:
            type_ = parameter.preferred
            if type_ is None or chance.random() < 0.2:
                type_ = chance.choice(sorted(parameter.types, key=lambda t: t.value))
            taken.append((type_, chance.choice(VALUES[type_])))
        yield taken


def answer(query: str, connection: duckdb.DuckDBPyConnection) -> list[tuple[str]] | None:
    """The rows; None when the query is refused."""
    compiled = compile_query(Source("q", query), DATABASE, now=NOW).compiled
    return None if compiled is None else connection.execute(compiled.json_sql).fetchall()


@pytest.mark.parametrize("seed", [1, 2])
def test_no_value_is_too_much_for_a_function(seed: int) -> None:
    chance = random.Random(seed)
    connection = lab()
    wrong = []
    for name, declared in SCALARS.items():
        for arguments in () if name in FORMS else calls(declared, chance):
            columns = ", ".join(f"c{i}: {type_.value}" for i, (type_, _) in enumerate(arguments)) or "c: int"
            written = ", ".join(text for _, text in arguments)
            given = f"{name}({', '.join(f'c{i}' for i in range(len(arguments)))})"
            constants = f"print {name}({written})"
            over_columns = f"datatable({columns})[{written or 1}] | project r = {given}"
            try:
                folded, computed = answer(constants, connection), answer(over_columns, connection)
            except duckdb.Error as error:
                wrong.append(f"{constants}: {str(error).splitlines()[0]}")
                continue
            if folded is not None and computed is not None and folded != computed:
                wrong.append(f"{constants}: {folded} but {computed} over columns")
    assert wrong == []
