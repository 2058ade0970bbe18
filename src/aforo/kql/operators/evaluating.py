"""`evaluate plugin(...)`: the grammar, and which plugin binds it (`plugins/`)."""

from __future__ import annotations

from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.binder import Binder
from aforo.kql.bound import Relation
from aforo.kql.operators.plugins import activity, bags, cohorts, comparing, counting, looking_up, pivoting
from aforo.kql.operators.plugins.spec import Plugin, PluginCall
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.scope import Scope
from aforo.source import Span

PLUGINS: dict[str, Plugin] = {
    p.name: p
    for family in (bags, pivoting, activity, cohorts, looking_up, counting, comparing)
    for p in family.PLUGINS
}


_REACH = "it reaches out of the workspace"
_CODE = "it runs code that the query brings along"
FORBIDDEN = {
    **dict.fromkeys(
        ("http_request", "http_request_post", "sql_request", "mysql_request", "postgresql_request", "cosmosdb_sql_request",
         "azure_digital_twins_query_request", "infer_storage_schema", "infer_storage_schema_with_suggestions",
         "ai_embeddings", "ai_embed_text", "ai_chat_completion", "ai_chat_completion_prompt"),
        _REACH,
    ),
    **dict.fromkeys(("python", "r", "csharp"), _CODE),
    **dict.fromkeys(("preview", "funnel_sequence"), "it gives several tables, and a query here gives one"),
    **dict.fromkeys(
        ("autocluster", "basket"),
        "how it chooses its patterns is not published, and other patterns would be other answers",
    ),
    **dict.fromkeys(
        ("session_count", "sequence_detect", "funnel_sequence_completion"),
        "what it makes of events at one moment and at the edges of its windows is not published",
    ),
}  # fmt: skip


NOT_MADE = ("schema_merge", "identity", "estimate_rows_count", "execute_query", "execute_show_command")


@dataclass(frozen=True, slots=True)
class Evaluate(s.Operator):
    call: PluginCall
    span: Span


def parse(p: Parser, start: Span) -> Evaluate:
    p.options()
    name_span = p.peek().span
    name = p.name("a plugin")
    if name in FORBIDDEN:
        # What it takes may be no KQL (`typeof(*)`): what is said of it is that it does not run.
        p.skip_to_pipe()
        return Evaluate(PluginCall(name, (), {}, None, False, name_span, start), start)
    p.expect_mark("(")
    arguments: list[s.Syntax] = []
    options: dict[str, s.Syntax] = {}
    while not p.peek_mark(")") and not p.at_end():
        argument = p.argument()
        if isinstance(argument, s.Named):
            options[argument.names[0].lower()] = argument.expression
        else:
            arguments.append(argument)
        if not p.take_mark(","):
            break
    p.expect_mark(")")
    schema: tuple[s.ColumnDeclaration, ...] | None = None
    keeps = False
    if p.take_mark(":"):
        keeps = _star(p)
        schema = () if keeps and p.take_mark(")") else p.schema_rest() if keeps else p.schema()
    return Evaluate(
        PluginCall(name, tuple(arguments), options, schema, keeps, name_span, start.to(p.last)),
        start.to(p.last),
    )


def _star(p: Parser) -> bool:
    """`(*` or `(*,`: the columns of the input stay, those that follow are added."""
    if p.peek_mark("(") and p.peek(1).text == "*":
        p.next()
        p.next()
        p.take_mark(",")
        return True
    return False


def bind(b: Binder, relation: Relation, tree: Evaluate, scope: Scope) -> Relation:
    call = tree.call
    plugin = PLUGINS.get(call.name)
    if plugin is None:
        what = f"the plugin {call.name}"
        reason = FORBIDDEN.get(call.name)
        if not reason and call.name not in NOT_MADE:
            b.report(say.unknown_plugin(call.name, call.name_span, [*PLUGINS, *FORBIDDEN]))
        elif reason and "not published" not in reason:
            b.report(say.refused(what, reason, call.name_span))
        else:
            b.report(say.unsupported(what, call.name_span, *([reason] if reason else [])))
        return relation
    least, most = plugin.count
    if not least <= len(call.arguments) <= most:
        count = f"{least}" if least == most else f"{least} to {most}"
        b.report(say.wrong_count(call.name, f"{count} arguments", len(call.arguments), call.span))
        return relation
    for option in call.options.keys() - plugin.options:
        names = ", ".join(sorted(plugin.options)) or "none of its arguments by name"
        b.report(say.bad_argument(f"{call.name} knows no {option!r}; it takes {names}", call.span))
        return relation
    made: Relation = plugin.bind(b, relation, call, scope)
    return made


OPERATORS = (Declared(("evaluate",), Evaluate, parse, bind, "Runs a plugin over the rows.", starts=True),)
