"""Statements of the grammar's tree to ours, a method for each kind of node. It knows no types."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.reader import DEPTH_LIMIT, Reader, named
from aforo.source import Span

if TYPE_CHECKING:
    from tree_sitter import Node

_JUMPS = "a policy runs as structured code; a loop, a local function or `goto case` says the same"
_STATEMENT_WORDS = {
    "yield_statement": "`yield`",
    "fixed_statement": "`fixed`",
    "unsafe_statement": "`unsafe`",
}


class StatementReader(Reader):
    """Reads what is done."""

    def stmt(self, node: Node) -> s.Stmt:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise say.too_deep(self.span(node))
        try:
            read = getattr(self, "s_" + node.type, None)
            if read is None:
                what = _STATEMENT_WORDS.get(node.type, f"`{node.type.replace('_', ' ')}`")
                raise say.unsupported(self.span(node), what)
            result: s.Stmt = read(node)
            return result
        finally:
            self.depth -= 1

    def block(self, node: Node) -> s.Block:
        return s.Block(tuple(self.stmt(n) for n in named(node)), self.span(node))

    def s_block(self, node: Node) -> s.Stmt:
        return self.block(node)

    def s_empty_statement(self, node: Node) -> s.Stmt:
        return s.Block((), self.span(node))

    def s_checked_statement(self, node: Node) -> s.Stmt:
        return s.CheckedBlock(
            self.raw(node).startswith("checked"), self.block(self.only(node)), self.span(node)
        )

    def s_lock_statement(self, node: Node) -> s.Stmt:
        """One evaluation is one thread: the body, behind the value that is locked."""
        held, body = named(node)
        return s.Using(self.expr(held), self.stmt(body), self.span(node))

    def s_expression_statement(self, node: Node) -> s.Stmt:
        return s.Do(self.expr(self.only(node)), self.span(node))

    def s_local_declaration_statement(self, node: Node) -> s.Stmt:
        declaration = next((c for c in named(node) if c.type == "variable_declaration"), None)
        if declaration is None:
            raise self.wrong(node)
        if node.children[0].type == "using":
            raise say.unsupported(self.span(node), "a `using` declaration (C# 8)")
        apart = self.deconstruction(declaration)
        if apart is not None:
            return apart
        constant = any(c.type == "modifier" and self.raw(c) == "const" for c in node.children)
        return replace(self.local(declaration), constant=constant)

    def deconstruction(self, node: Node) -> s.Stmt | None:
        """`var (a, b) = ...`, which declares as it assigns."""
        declarators = [c for c in named(node) if c.type == "variable_declarator"]
        inner = named(declarators[0]) if len(declarators) == 1 else []
        if len(inner) != 2 or inner[0].type != "tuple_pattern":
            return None
        span = self.span(node)
        return s.Do(s.Assign(self.expr(inner[0]), "=", self.expr(inner[1]), span), span)

    def local(self, node: Node) -> s.Local:
        written = self.field(node, "type")
        type_ref = None if written.type == "implicit_type" else self.type_ref(written)
        out: list[tuple[str, s.Expr | None, Span]] = []
        for each in named(node):
            if each.type != "variable_declarator":
                continue
            name_node = self.field(each, "name")
            value = next((c for c in named(each) if c != name_node), None)
            out.append(
                (
                    self.raw(name_node).removeprefix("@"),
                    self.expr(value) if value is not None else None,
                    self.span(each),
                )
            )
        return s.Local(type_ref, tuple(out), self.span(node))

    def s_if_statement(self, node: Node) -> s.Stmt:
        # `else if` chains are walked: each link would otherwise count as a level.
        links: list[tuple[Node, s.Expr, s.Stmt]] = []
        now: Node | None = node
        last: s.Stmt | None = None
        while now is not None:
            if now.type != "if_statement":
                last = self.stmt(now)
                break
            links.append(
                (now, self.expr(self.field(now, "condition")), self.stmt(self.field(now, "consequence")))
            )
            now = now.child_by_field_name("alternative")
        for each, condition, then in reversed(links):
            last = s.If(condition, then, last, self.span(each))
        assert last is not None
        return last

    def s_while_statement(self, node: Node) -> s.Stmt:
        condition, body = self.expr(self.field(node, "condition")), self.stmt(self.field(node, "body"))
        return s.While(condition, body, False, self.span(node))

    def s_do_statement(self, node: Node) -> s.Stmt:
        condition, body = self.expr(self.field(node, "condition")), self.stmt(self.field(node, "body"))
        return s.While(condition, body, True, self.span(node))

    def s_for_statement(self, node: Node) -> s.Stmt:
        start: list[s.Stmt] = []
        step: list[s.Expr] = []
        for at, child in enumerate(node.children):
            field = node.field_name_for_child(at)
            if field == "initializer":
                if child.type == "variable_declaration":
                    start.append(self.local(child))
                elif child.is_named:
                    start.append(s.Do(self.expr(child), self.span(child)))
            elif field == "update" and child.is_named:
                step.append(self.expr(child))
        condition = node.child_by_field_name("condition")
        return s.For(
            tuple(start),
            self.expr(condition) if condition is not None else None,
            tuple(step),
            self.stmt(self.field(node, "body")),
            self.span(node),
        )

    def s_foreach_statement(self, node: Node) -> s.Stmt:
        left = self.field(node, "left")
        if left.type in ("tuple_pattern", "tuple_expression"):
            # Each element into a local that no author can name, then apart.
            span = self.span(left)
            name = f"\u2026{span.start}"
            apart = s.Do(s.Assign(self.expr(left), "=", s.Name(name, (), span), span), span)
            body = s.Block((apart, self.stmt(self.field(node, "body"))), self.span(node))
            return s.Foreach(None, name, self.expr(self.field(node, "right")), body, self.span(node))
        if left.type != "identifier":
            raise self.wrong(left)
        written = self.field(node, "type")
        return s.Foreach(
            None if written.type == "implicit_type" else self.type_ref(written),
            self.raw(left).removeprefix("@"),
            self.expr(self.field(node, "right")),
            self.stmt(self.field(node, "body")),
            self.span(node),
        )

    def s_switch_statement(self, node: Node) -> s.Stmt:
        sections: list[s.SwitchSection] = []
        labels: list[s.Label] = []
        for section in named(self.field(node, "body")):
            label, body = self.switch_section(section)
            labels.append(label)
            if body:
                sections.append(s.SwitchSection(tuple(labels), tuple(body), self.span(section)))
                labels = []
        if labels:
            raise self.wrong(node)
        return s.Switch(self.expr(self.field(node, "value")), tuple(sections), self.span(node))

    def switch_section(self, node: Node) -> tuple[s.Label, list[s.Stmt]]:
        pattern: s.Pattern | None = None
        guard: s.Expr | None = None
        body: list[s.Stmt] = []
        seen_colon = False
        for child in node.children:
            if child.type == ":":
                seen_colon = True
            elif child.type in ("case", "default", "comment"):
                continue
            elif seen_colon:
                body.append(self.stmt(child))
            elif child.type == "when_clause":
                guard = self.expr(self.only(child))
            elif child.is_named:
                pattern = (
                    self.pattern(child)
                    if child.type.endswith("_pattern")
                    else s.ConstantPattern(self.expr(child), self.span(child))
                )
        return s.Label(pattern, guard, self.span(node)), body

    def s_return_statement(self, node: Node) -> s.Stmt:
        inner = named(node)
        return s.Return(self.expr(inner[0]) if inner else None, self.span(node))

    def s_break_statement(self, node: Node) -> s.Stmt:
        return s.Break(self.span(node))

    def s_continue_statement(self, node: Node) -> s.Stmt:
        return s.Continue(self.span(node))

    def s_goto_statement(self, node: Node) -> s.Stmt:
        kind = node.children[1].type
        if kind not in ("case", "default"):
            raise say.refused(self.span(node), "`goto` to a label", _JUMPS)
        return s.Goto(self.expr(named(node)[0]) if kind == "case" else None, self.span(node))

    def s_labeled_statement(self, node: Node) -> s.Stmt:
        raise say.refused(self.span(node), "a label", _JUMPS)

    def s_throw_statement(self, node: Node) -> s.Stmt:
        inner = named(node)
        return s.Throw(self.expr(inner[0]) if inner else None, self.span(node))

    def s_try_statement(self, node: Node) -> s.Stmt:
        catches: list[s.Catch] = []
        last: s.Block | None = None
        for child in named(node):
            if child.type == "catch_clause":
                catches.append(self.catch(child))
            elif child.type == "finally_clause":
                last = self.block(self.only(child))
        if not catches and last is None:
            raise say.missing(self.span(node), "catch")
        return s.Try(self.block(self.field(node, "body")), tuple(catches), last, self.span(node))

    def catch(self, node: Node) -> s.Catch:
        written: s.TypeRef | None = None
        name = ""
        guard: s.Expr | None = None
        for child in named(node):
            if child.type == "catch_declaration":
                written = self.type_ref(self.field(child, "type"))
                name_node = child.child_by_field_name("name")
                name = self.raw(name_node) if name_node is not None else ""
            elif child.type == "catch_filter_clause":
                guard = self.expr(self.only(child))
        return s.Catch(written, name, guard, self.block(self.field(node, "body")), self.span(node))

    def s_using_statement(self, node: Node) -> s.Stmt:
        body = self.stmt(self.field(node, "body"))
        held = next(c for c in named(node) if c != node.child_by_field_name("body"))
        resource = self.local(held) if held.type == "variable_declaration" else self.expr(held)
        return s.Using(resource, body, self.span(node))

    def s_local_function_statement(self, node: Node) -> s.Stmt:
        written = self.field(node, "type")
        if any(c.type == "modifier" and self.raw(c) == "async" for c in node.children):
            raise say.unsupported(self.span(node), "an `async` function")
        generic = node.child_by_field_name("type_parameters")
        parameters = self.function_parameters(self.field(node, "parameters"))
        body = self.field(node, "body")
        inner: Any = self.block(body) if body.type == "block" else self.expr(self.only(body))
        returns = self.type_ref(written)
        return s.Function(
            None if returns.name == "void" else returns,
            self.raw(self.field(node, "name")),
            tuple(parameters),
            inner,
            self.span(node),
            tuple(self.raw(each) for each in named(generic)) if generic is not None else (),
        )

    def function_parameters(self, node: Node) -> list[s.FunctionParameter]:
        """Of a local function. The grammar puts what stands behind `params` beside the other parameters."""
        out: list[s.FunctionParameter] = []
        rest = node.child_by_field_name("type")
        for each in named(node):
            if each.type != "parameter":
                continue
            mode = " ".join(self.raw(c) for c in each.children if c.type == "modifier")
            if mode not in ("", "out", "ref"):
                raise say.unsupported(self.span(each), f"a parameter with `{mode}`")
            inner = [c for c in named(each) if c.type != "modifier"]
            written, name = self.field(each, "type"), self.field(each, "name")
            default = next((self.expr(c) for c in inner if c not in (written, name)), None)
            out.append(
                s.FunctionParameter(self.raw(name), self.type_ref(written), mode, default, self.span(each))
            )
        if rest is not None:
            name = self.field(node, "name")
            out.append(
                s.FunctionParameter(self.raw(name), self.type_ref(rest), "params", None, self.span(rest))
            )
        return out
