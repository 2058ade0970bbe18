"""How a policy is declared: its attributes, children, places, and the function that compiles it.

A declaration is data; it feeds validation, completion, the reference pages and the table of support.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from aforo.policy.scopes import ALL_SCOPES, ALL_SECTIONS, Scope, Section

Kind = Literal["text", "int", "bool", "seconds", "milliseconds", "name"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """`kind` is what the value must read as; `values` lists the words of an enumeration; `backend`: it is the id of one."""

    name: str
    doc: str
    kind: Kind = "text"
    required: bool = False
    default: str | None = None
    expressions: bool = True
    values: tuple[str, ...] = ()
    backend: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """The value between the tags. `markup`: elements between them are text as well."""

    doc: str
    kind: Kind = "text"
    required: bool = False
    expressions: bool = True
    markup: bool = False


@dataclass(frozen=True, slots=True)
class Child:
    """An element inside a policy. `policies`: it holds policies of its own; `same_as` names a policy declared
    elsewhere that may stand here with its own rules."""

    name: str
    doc: str
    required: bool = False
    many: bool = False
    attributes: tuple[Attribute, ...] = ()
    children: tuple[Child, ...] = ()
    text: Text | None = None
    policies: bool = False
    same_as: str = ""


@dataclass(frozen=True, slots=True)
class Element:
    """A policy. `once`: at most one in a section. `compile` takes its Use and an Emitter (emit.py, which
    stands above this file) and writes its code. `policies`: it holds policies of its own, with `only` those."""

    name: str
    doc: str
    compile: Callable[[Any, Any], None]
    sections: frozenset[Section] = ALL_SECTIONS
    scopes: frozenset[Scope] = ALL_SCOPES
    attributes: tuple[Attribute, ...] = ()
    children: tuple[Child, ...] = ()
    text: Text | None = None
    once: bool = False
    stores: str = ""  # the family of caches in which it stores the answer: see `Pipeline.resumed`
    policies: bool = False
    only: tuple[str, ...] = ()
    never: tuple[tuple[str, str], ...] = ()  # how attributes begin that API Management has, and why not here
