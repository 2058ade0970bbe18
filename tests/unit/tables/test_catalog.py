"""The declarations themselves: names, promotions, documentation."""

from __future__ import annotations

import re

import pytest

from aforo.tables.catalog import TABLES
from aforo.tables.schema import ColumnType, Table
from aforo.tables.standard import CONSTANT, STANDARD

# How many columns the documentation of Azure gives these tables (read 2026-11).
AZURE_COLUMNS = {"ApiManagementGatewayLogs": 59, "ApiManagementGatewayLlmLog": 22}


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda t: t.name)
def test_a_table_is_well_formed(table: Table) -> None:
    names = table.names
    assert len({n.lower() for n in names}) == len(names)
    assert names[0] == "TimeGenerated"
    assert table.column("TimeGenerated").type is ColumnType.DATETIME
    assert {c.name for c in STANDARD} <= set(names)
    assert set(CONSTANT) <= set(names)
    assert "_day" not in names
    for column in table.columns:
        assert re.fullmatch(r"_?[A-Za-z]\w*", column.name)
        assert column.doc.endswith((".", "`")), column
        assert "  " not in column.doc


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda t: t.name)
def test_promotions_point_at_hidden_columns_of_the_declared_type(table: Table) -> None:
    for promotion in table.promotions:
        assert table.column(promotion.column).type in (ColumnType.STRING, ColumnType.DYNAMIC)
        stored, flag = table.column(promotion.stored), table.column(promotion.flag)
        assert stored.hidden
        assert stored.type is promotion.type
        assert flag.hidden
        assert flag.type is ColumnType.BOOL


@pytest.mark.parametrize(("name", "count"), AZURE_COLUMNS.items())
def test_azure_s_columns_come_first_and_are_complete(name: str, count: int) -> None:
    ours = [c.ours for c in TABLES[name].columns]
    assert ours == sorted(ours)
    assert ours.count(False) == count


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match="ApiManagementGatewayLogs has no column Nope"):
        TABLES["ApiManagementGatewayLogs"].column("Nope")
