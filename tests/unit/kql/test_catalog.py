"""What is declared can be written: every function in SQL, every operator once, nothing both known and refused."""

from __future__ import annotations

import re

from aforo.kql import bind_calls
from aforo.kql.functions.catalog import AGGREGATES, SCALARS, WINDOWS
from aforo.kql.functions.forms import AGGREGATE_FORMS, FORMS
from aforo.kql.functions.unsupported import KNOWN_UNSUPPORTED
from aforo.kql.operators import grouping
from aforo.kql.operators.catalog import BINDINGS, OPERATORS, PIPED, STARTING
from aforo.kql.sql.duckdb import aggregates, macros, macros_values, scalars

# Written by other means: grouping binds them to aggregates of their own, the binder folds them.
_FORMS = {"startswith"}


def test_every_scalar_function_has_sql() -> None:
    missing = {f.operation for f in SCALARS.values() if not scalars.known(f.operation)}
    assert missing - _FORMS == set()


def test_every_aggregate_and_window_has_sql() -> None:
    assert {a.operation for a in AGGREGATES.values()} - {"any"} <= set(aggregates.AGGREGATES)
    assert {w.operation for w in WINDOWS.values()} == set(aggregates.WINDOWS)


def test_every_macro_that_is_called_exists() -> None:
    defined = macros.MACROS | macros_values.MACROS
    called = {name for name in scalars.DIRECT.values() if name.startswith("kql_")}
    for body in defined.values():
        called |= set(re.findall(r"\bkql_\w+", body))
    assert called <= set(defined)


def test_names_are_declared_once() -> None:
    # Digests are merged over the rows of a group, or side by side.
    both = {"any", "hll_merge", "tdigest_merge", "merge_tdigest"}
    assert not (set(SCALARS) & set(AGGREGATES)) - both
    assert not KNOWN_UNSUPPORTED & (set(SCALARS) | set(AGGREGATES) | set(WINDOWS))


def test_every_operator_binds() -> None:
    assert {o.syntax for o in OPERATORS} == set(BINDINGS)
    assert {k for o in OPERATORS for k in o.keywords} == set(PIPED) | set(STARTING)


def test_forms_are_listed_for_people() -> None:
    assert set(FORMS) == set(bind_calls._FORMS)
    assert set(AGGREGATE_FORMS) == set(grouping._SPECIAL)
