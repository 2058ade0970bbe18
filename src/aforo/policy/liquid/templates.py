"""Liquid templates of `set-body`: compiled with their policy, rendered within the limits of an expression.

The engine is python-liquid (extra `liquid`), which is imported here and in filters.py only. Templates reach
what they are given and nothing else: there are no files and no other templates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TextIO

from liquid import BoundTemplate, Environment
from liquid.builtin.expressions import LoopExpression
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.for_tag import ForLoop, ForNode, ForTag
from liquid.context import RenderContext
from liquid.exceptions import BreakLoop, ContinueLoop, LiquidError, ResourceLimitError
from liquid.stream import TokenStream
from liquid.stringify import to_liquid_string
from liquid.token import Token

from aforo.csharp.runtime import limits
from aforo.csharp.runtime.encodings import well_formed
from aforo.csharp.runtime.exceptions import CsException, FormatException
from aforo.policy.exchange import Exchange, RequestState, ResponseState
from aforo.policy.liquid.filters import register
from aforo.policy.liquid.values import Element, body_of, context_of, shown
from aforo.policy.running import new_body

_REFUSED_TAGS = ("include", "render", "liquid", "doc", "tablerow", "echo", "#")
# All turns of all loops; the engine's own limit sees loops inside of each other only.
_TURNS = 100_000


class _Loop(LoopExpression):
    """One element of XML, where several may stand, is a loop of one turn."""

    __slots__ = ()

    def _to_iter(self, obj: object, context: RenderContext) -> tuple[Iterator[Any], int]:
        if isinstance(obj, Element):
            return iter([obj]), 1
        if isinstance(obj, range):
            limits.count(max(0, obj.stop - obj.start))
        return super()._to_iter(obj, context)


class _ForNode(ForNode):
    """`for`, a step of the evaluation for each turn; `between` stands between what the turns write."""

    __slots__ = ()
    between = ""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        self.expression.__class__ = _Loop
        turns, length = self.expression.evaluate(context)
        if not length:
            return self.default.render(context, buffer) if self.default else 0
        limits.work(length)
        name, written = self.expression.identifier, 0
        loop = ForLoop(f"{name}-{self.expression.iterable}", turns, length, context.parentloop())
        scope: dict[str, object] = {"forloop": loop, name: None}
        with context.loop(scope, loop):
            for at, item in enumerate(loop):
                # A turn costs much more than a step of an expression, and the clock is looked at in time.
                limits.work(limits.WORK_LIMIT // _TURNS)
                limits.look_at_clock()
                scope[name] = item
                if at and self.between:
                    written += buffer.write(self.between)
                try:
                    written += self.block.render(context, buffer)
                except ContinueLoop:
                    continue
                except BreakLoop:
                    break
        return written


class _For(ForTag):
    node_class = _ForNode


class _ArrayNode(_ForNode):
    __slots__ = ()
    between = ","


class _JsonArrayFor(ForTag):
    """`JSONArrayFor`: a loop that puts commas between its turns."""

    name = "JSONArrayFor"
    end = "endJSONArrayFor"
    node_class = _ArrayNode

    def parse(self, stream: TokenStream) -> ForNode:
        from liquid.parser import get_parser
        from liquid.token import TOKEN_TAG

        token: Token = stream.eat(TOKEN_TAG)
        expression = LoopExpression.parse(self.env, stream.into_inner(tag=token))
        block = get_parser(self.env).parse_block(stream, frozenset((self.end,)))
        stream.expect(TOKEN_TAG, value=self.end)
        return self.node_class(token, expression=expression, block=block)


class _OutputNode(OutputNode):
    """`{{ }}`; the engine's own would write what is inside of lists as Python does."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        value = self.expression.evaluate(context)
        return buffer.write(shown(value) if isinstance(value, list) else to_liquid_string(value, False))


class _Output(Output):
    node_class = _OutputNode


class _Environment(Environment):
    loop_iteration_limit = _TURNS
    output_stream_limit = 16 * 1024 * 1024
    local_namespace_limit = 16 * 1024 * 1024
    block_nesting_limit = 20
    context_depth_limit = 20

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for name in _REFUSED_TAGS:
            self.tags.pop(name, None)
        self.add_tag(_For)
        self.add_tag(_Output)
        self.add_tag(_JsonArrayFor)
        register(self)


_ENVIRONMENT = _Environment()
_OPENING = re.compile(r"\{%-?\s*(raw|comment)\s*-?%\}|\{[{%]")
_ENDS = {n: re.compile(r"\{%-?\s*end" + n + r"\s*-?%\}") for n in ("raw", "comment")}


class WrongTemplate(Exception):  # noqa: N818 - not an error of ours
    """A template that does not parse: `at` is the place in its text, `size` how long what is wrong is."""

    def __init__(self, message: str, at: int, size: int) -> None:
        super().__init__(message)
        self.at, self.size = at, size


def compile_template(text: str) -> BoundTemplate:
    """Raises WrongTemplate."""
    _check_braces(text)
    try:
        template = _ENVIRONMENT.from_string(text)
        for name, places in template.analyze().filters.items():
            if name not in _ENVIRONMENT.filters:
                raise WrongTemplate(f"`{name}` is not a filter", places[0].index, len(name))
        return template
    except RecursionError:
        raise WrongTemplate("it is nested too deeply", 0, 0) from None
    except LiquidError as error:
        token = error.token
        at = max(0, token.start_index) if token is not None else 0
        size = len(token.value) if token is not None and token.start_index >= 0 else 0
        raise WrongTemplate(_said(error), at, size) from None


def _check_braces(text: str) -> None:
    """Every `{{` and `{%` is closed. The engine looks for each end anew, to the end of the text where there is none."""
    at = 0
    while (opened := _OPENING.search(text, at)) is not None:
        start = opened.start()
        if opened[1] is not None:
            # What stands in raw and comment is nobody's business.
            end = _ENDS[opened[1]].search(text, opened.end())
            at = end.end() if end is not None else -1
        else:
            at = text.find("}}" if text[start + 1] == "{" else "%}", opened.end())
        if at < 0:
            raise WrongTemplate(f"`{text[start : start + 2]}` is not closed", start, 2)


def render(
    exchange: Exchange,
    message: RequestState | ResponseState,
    template: BoundTemplate,
    has_body: bool,
    nil: bool,
    dates: bool,
) -> None:
    """Puts what the template gives into the message. `has_body`: its body so far is what `body` stands for."""
    limits.begin()
    body = body_of(message if has_body else None, nil=nil, dates=dates)
    try:
        text = template.render(body=body, context=context_of(exchange))
    except ResourceLimitError as error:
        raise limits.LimitExceeded(f"a template went beyond its limits: {_said(error)}") from None
    except LiquidError as error:
        raise FormatException(f"The Liquid template failed: {_said(error)}") from None
    except (CsException, limits.LimitExceeded, RecursionError):
        raise
    new_body(message, well_formed(text).encode())


def _said(error: LiquidError) -> str:
    return str(error.message or type(error).__name__)
