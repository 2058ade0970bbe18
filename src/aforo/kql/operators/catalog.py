"""All tabular operators."""

from __future__ import annotations

from aforo.kql.operators import (
    calling,
    evaluating,
    expanding,
    external,
    graph_matching,
    graphs,
    grouping,
    joining,
    ordering,
    parting,
    presenting,
    ranking,
    refused,
    rows,
    scanning,
    searching,
    series,
    shaping,
    sources,
    text_parsing,
)
from aforo.kql.operators.spec import Declared

OPERATORS: tuple[Declared, ...] = (
    *rows.OPERATORS,
    *ordering.OPERATORS,
    *grouping.OPERATORS,
    *joining.OPERATORS,
    *sources.OPERATORS,
    *external.OPERATORS,
    *expanding.OPERATORS,
    *parting.OPERATORS,
    *searching.OPERATORS,
    *ranking.OPERATORS,
    *shaping.OPERATORS,
    *scanning.OPERATORS,
    *series.OPERATORS,
    *calling.OPERATORS,
    *evaluating.OPERATORS,
    *text_parsing.OPERATORS,
    *graphs.OPERATORS,
    *graph_matching.OPERATORS,
    *presenting.OPERATORS,
    *refused.OPERATORS,
)
PIPED = {keyword: o.parse for o in OPERATORS if o.pipes for keyword in o.keywords}
STARTING = {keyword: o.parse for o in OPERATORS if o.starts for keyword in o.keywords}
BINDINGS = {o.syntax: o.bind for o in OPERATORS}
