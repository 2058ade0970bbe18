"""Types, members and what can be reached by a name: the closed world that expressions are bound against.

A type is declared once, as data: `declare("string", member("int Length", strings.length), ...)`. Signatures are
written in C# and read on first use; a `?` behind a reference type says that the value may be null. Nothing that
is not declared can be reached from an expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Type:
    """`Type("[]", (element,))` is an array, `[,]` one of two dimensions, `Type("Nullable", (t,))` is `t?`, `Type("Func", (a, ..., r))` a function."""

    name: str
    args: tuple[Type, ...] = ()

    @property
    def is_tuple(self) -> bool:
        """`(a,)` with two arguments is `(A a, B)`."""
        return self.name.startswith("(")

    def __str__(self) -> str:
        if self.name.startswith("["):
            return f"{self.args[0]}{self.name}"
        if self.is_tuple:
            names = self.name[1:-1].split(",")
            return f"({', '.join(f'{t} {n}'.rstrip() for t, n in zip(self.args, names, strict=True))})"
        if self.name == "Nullable":
            return f"{self.args[0]}?"
        if self.args:
            return f"{self.name}<{', '.join(map(str, self.args))}>"
        return self.name


BOOL: Final = Type("bool")
CHAR: Final = Type("char")
STRING: Final = Type("string")
OBJECT: Final = Type("object")
INT: Final = Type("int")
LONG: Final = Type("long")
FLOAT: Final = Type("float")
DOUBLE: Final = Type("double")
DECIMAL: Final = Type("decimal")
VOID: Final = Type("void")
NULL: Final = Type("null")  # the type of `null`
NEVER: Final = Type("never")  # the type of `throw`
EXCEPTION: Final = Type("Exception")
TYPE: Final = Type("Type")

INTEGRAL: Final = ("sbyte", "byte", "short", "ushort", "int", "uint", "long", "ulong")
NUMERIC: Final = (*INTEGRAL, "char", "float", "double", "decimal")


def array(element: Type, rank: int = 1) -> Type:
    return Type(f"[{',' * (rank - 1)}]", (element,))


def nullable(inner: Type) -> Type:
    return Type("Nullable", (inner,))


def func(*types: Type) -> Type:
    """Parameters, then the result."""
    return Type("Func", types)


class Missing:
    """No default: the argument must be given."""


MISSING: Final = Missing()


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: Type
    default: object = MISSING
    params: bool = False
    out: bool = False
    ref: bool = False  # handed over as well as given back: `out` is true too


@dataclass(frozen=True, slots=True)
class Member:
    """One thing that a name, an index, a cast or an operator can mean.

    `kind`: method, property, index, new, implicit, explicit, operator. `run` is called with the receiver (none
    for static ones), then the arguments; `attr` is read from the receiver instead ("": the receiver itself). `typed` puts a `TypeInfo` for
    each generic argument in front of the arguments, or for the parameter of the declaring type that it names. `effects` are labels that the caller of the compiler gets
    back, with the first argument where it is a literal. `null_ok` members are called on null too. `root` properties
    get, behind the receiver, what the first name of the world stands for.
    """

    kind: str
    name: str
    static: bool
    extension: bool
    type_params: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    returns: Type
    may_be_null: bool
    run: Callable[..., Any] | None = None
    attr: str | None = None
    typed: bool | str = False
    effects: tuple[str, ...] = ()
    store: Callable[..., Any] | None = None
    const: object = MISSING
    null_ok: bool = False
    root: bool = False
    owner: str = ""

    def __str__(self) -> str:
        if self.kind == "property":
            return f"{self.returns} {self.name}"
        given = self.parameters[1:] if self.extension else self.parameters
        inner = ", ".join(
            ("params " if p.params else "ref " if p.ref else "out " if p.out else "") + f"{p.type} {p.name}"
            for p in given
        )
        generic = f"<{', '.join(self.type_params)}>" if self.type_params else ""
        name = {"index": "this", "new": self.owner}.get(self.kind, self.name)
        left, right = ("[", "]") if self.kind == "index" else ("(", ")")
        return f"{name}{generic}{left}{inner}{right}"


@dataclass(frozen=True, slots=True)
class Declared:
    """A member as declared: its signature is not read before somebody asks for the type."""

    signature: str
    options: dict[str, Any]


def member(
    signature: str,
    run: Callable[..., Any] | None = None,
    *,
    attr: str | None = None,
    typed: bool | str = False,
    effects: tuple[str, ...] = (),
    store: Callable[..., Any] | None = None,
    const: object = MISSING,
    null_ok: bool = False,
    root: bool = False,
) -> Declared:
    """Declares a member; see Member for the options, and `read_signature` for the forms."""
    return Declared(
        signature,
        {
            "run": run,
            "attr": attr,
            "typed": typed,
            "effects": effects,
            "store": store,
            "const": const,
            "null_ok": null_ok,
            "root": root,
        },
    )


@dataclass(slots=True)
class TypeDecl:
    """A declared type. `python` is its class at run time, which a cast or `is` tests; None cannot be tested."""

    name: str
    type_params: tuple[str, ...]
    namespace: str
    kind: str  # class, struct, enum, interface, static
    bases: tuple[Type, ...]
    declared: tuple[Declared, ...]
    python: type | tuple[type, ...] | None
    aliases: tuple[str, ...]
    default: Any = None
    _members: dict[str, tuple[Member, ...]] | None = field(default=None, repr=False)

    @property
    def members(self) -> dict[str, tuple[Member, ...]]:
        """By name; indexers under `this`, constructors under `new`, conversions and operators under their word."""
        if self._members is None:
            grouped: dict[str, list[Member]] = {}
            for each in self.declared:
                read = read_signature(each, self.name)
                grouped.setdefault(read.name, []).append(read)
            self._members = {k: tuple(v) for k, v in grouped.items()}
        return self._members


def declare(
    name: str,
    *members: Declared,
    namespace: str = "System",
    kind: str = "class",
    bases: tuple[str, ...] = (),
    python: type | tuple[type, ...] | None = None,
    aliases: tuple[str, ...] = (),
    default: Any = None,
) -> TypeDecl:
    """Declares a type; `name` may carry parameters (`Dictionary<K, V>`), `bases` are written in C#."""
    head = parse_type(name)
    return TypeDecl(
        head.name,
        tuple(a.name for a in head.args),
        namespace,
        kind,
        tuple(parse_type(b) for b in bases),
        members,
        python,
        aliases,
        default,
    )


def enumeration(name: str, python: Any, namespace: str = "System") -> TypeDecl:
    """Declares an enum from its Python IntEnum; values are constants of the program."""
    python.net_name = f"{namespace}.{name}"
    return declare(
        name,
        *(member(f"static {name} {v.name}", const=v) for v in python),
        namespace=namespace,
        kind="enum",
        python=python,
        default=next(iter(python)),
    )


class Universe:
    """All declared types. Made once per process and shared; nothing in it changes afterwards."""

    def __init__(self, declarations: Iterable[TypeDecl]) -> None:
        self.types: dict[str, TypeDecl] = {}
        self.by_path: dict[str, TypeDecl] = {}
        self.namespaces: set[str] = set()
        self._extensions: dict[str, list[Member]] | None = None
        for each in declarations:
            self.types[each.name] = each
            # What begins so has no name in C#.
            for alias in () if each.name.startswith("_") else (each.name, *each.aliases):
                self.by_path[alias] = each
                self.by_path[f"{each.namespace}.{alias}"] = each
            parts = each.namespace.split(".")
            self.namespaces.update(".".join(parts[: i + 1]) for i in range(len(parts)))

    @property
    def extensions(self) -> dict[str, list[Member]]:
        if self._extensions is None:
            found: dict[str, list[Member]] = {}
            for decl in self.types.values():
                if decl.kind == "static":
                    for group in decl.members.values():
                        for each in group:
                            if each.extension:
                                found.setdefault(each.name, []).append(each)
            self._extensions = found
        return self._extensions

    def decl(self, type_: Type) -> TypeDecl | None:
        name = type_.name
        return self.types.get("Array" if name == "[]" else "_Grid" if name.startswith("[") else name)

    def bases(self, type_: Type) -> Iterator[Type]:
        """The type and everything that it is, nearest first, with generic arguments filled in."""
        seen: set[Type] = set()
        queue = [type_]
        while queue:
            now = queue.pop(0)
            if now in seen:
                continue
            seen.add(now)
            yield now
            if now.name == "[]":
                queue += [Type("IList", now.args), Type("IReadOnlyList", now.args)]
            decl = self.decl(now)
            if decl is not None:
                binding = dict(zip(decl.type_params, now.args, strict=False))
                queue += [substitute(b, binding) for b in decl.bases]
                if decl.kind == "enum":
                    queue.append(Type("Enum"))
        if not is_value(self, type_) and OBJECT not in seen and type_ not in (NULL, VOID):
            yield OBJECT

    def find(self, type_: Type, name: str, *, static: bool) -> list[tuple[Member, dict[str, Type]]]:
        """Members of that name with the bindings of the declaring type's parameters, nearest type first."""
        out: list[tuple[Member, dict[str, Type]]] = []
        for base in (type_,) if static else self.bases(type_):
            decl = self.decl(base)
            if decl is None:
                continue
            binding = dict(zip(decl.type_params, base.args, strict=False))
            out += [(m, binding) for m in decl.members.get(name, ()) if m.static is static]
        if not static and is_value(self, type_):
            decl = self.types["object"]
            out += [(m, {}) for m in decl.members.get(name, ()) if not m.static]
        return out

    def names(self, type_: Type, *, static: bool) -> list[str]:
        """What can be written behind the dot."""
        out: list[str] = []
        for base in (type_,) if static else self.bases(type_):
            decl = self.decl(base)
            if decl is not None:
                out += [
                    n
                    for n, ms in decl.members.items()
                    if any(m.static is static and not m.extension for m in ms)
                ]
        if not static:
            out += list(self.extensions)
        return [n for n in dict.fromkeys(out) if n.isidentifier() and n not in ("this", "new")]


def is_value(universe: Universe, type_: Type) -> bool:
    """Whether it is a value type (never null)."""
    if type_.name == "Nullable" or type_.is_tuple:
        return True
    decl = universe.decl(type_)
    return decl is not None and decl.kind in ("struct", "enum")


def can_be_null(universe: Universe, type_: Type) -> bool:
    return type_.name == "Nullable" or not is_value(universe, type_)


def substitute(type_: Type, binding: dict[str, Type]) -> Type:
    """The type with its parameters replaced."""
    if not binding:
        return type_
    if not type_.args:
        return binding.get(type_.name, type_)
    return Type(type_.name, tuple(substitute(a, binding) for a in type_.args))


# --- signatures --------------------------------------------------------------------------------------------

_TOKEN = re.compile(r'\s*(?:([A-Za-z_][\w.]*)|("[^"]*"|-?\d+)|(==|!=|<=|>=|[-+*/%<>\[\]()?,=|&^!]))')
_ALIASES: Final = {"Predicate": 1, "Comparison": 2, "Action": -1}


def parse_type(text: str) -> Type:
    """A type written in C#; `?` behind a reference type is dropped."""
    reader = _Signature(text)
    parsed, _ = reader.type()
    return parsed


def read_signature(declared: Declared, owner: str) -> Member:
    """Reads a signature. Forms: `T Name`, `T Name<U>(this A a, params B[] b, C c = 0, out D d, ref E e)`, `T this[K key]`,
    `new(A a)`, `implicit T(S value)`, `explicit T(S value)`, `T operator +(A a, B b)`; `static` in front."""
    reader = _Signature(declared.signature)
    static = reader.take("static")
    if reader.take("new"):
        parameters, _ = reader.parameters("(", ")")
        return Member(
            "new", "new", True, False, (), parameters, Type(owner), False, owner=owner, **declared.options
        )
    for word in ("implicit", "explicit"):
        if reader.take(word):
            target, maybe = reader.type()
            parameters, _ = reader.parameters("(", ")")
            return Member(
                word, word, True, False, (), parameters, target, maybe, owner=owner, **declared.options
            )
    returns, maybe = reader.type()
    if reader.take("operator"):
        symbol = reader.next()
        parameters, _ = reader.parameters("(", ")")
        name = "operator " + symbol
        return Member(
            "operator", name, True, False, (), parameters, returns, maybe, owner=owner, **declared.options
        )
    name = reader.next()
    if name == "this":
        parameters, _ = reader.parameters("[", "]")
        return Member(
            "index", "this", False, False, (), parameters, returns, maybe, owner=owner, **declared.options
        )
    generic = reader.type_parameters()
    if reader.peek() != "(":
        return Member(
            "property", name, static, False, (), (), returns, maybe, owner=owner, **declared.options
        )
    parameters, extension = reader.parameters("(", ")")
    return Member(
        "method",
        name,
        static,
        extension,
        generic,
        parameters,
        returns,
        maybe,
        owner=owner,
        **declared.options,
    )


class _Signature:
    """A reader over the tokens of one signature. Declarations are ours: a wrong one is a bug and raises."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        text = text.strip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            assert match is not None, f"bad signature {text!r} at {at}"
            self.tokens.append(match.group().strip())
            at = match.end()
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def take(self, word: str) -> bool:
        if self.peek() == word:
            self.at += 1
            return True
        return False

    def type_parameters(self) -> tuple[str, ...]:
        names: list[str] = []
        if self.take("<"):
            while not self.take(">"):
                names.append(self.next())
                self.take(",")
        return tuple(names)

    def type(self) -> tuple[Type, bool]:
        """The type, and whether it was marked as one that may be null."""
        name = self.next()
        args: list[Type] = []
        if self.take("<"):
            while not self.take(">"):
                args.append(self.type()[0])
                self.take(",")
        result = Type(name, tuple(args))
        if name in _ALIASES:
            result = {
                "Predicate": lambda: func(args[0], BOOL),
                "Comparison": lambda: func(args[0], args[0], INT),
                "Action": lambda: func(*args, VOID),
            }[name]()
        maybe = False
        while True:
            if self.peek() == "[" and self.at + 1 < len(self.tokens) and self.tokens[self.at + 1] == "]":
                self.at += 2
                result, maybe = array(result), False
            elif self.peek() == "?":
                self.at += 1
                if result.name in _VALUE_NAMES:
                    result = nullable(result)
                maybe = True
            else:
                return result, maybe

    def parameters(self, left: str, right: str) -> tuple[tuple[Parameter, ...], bool]:
        assert self.next() == left
        out: list[Parameter] = []
        extension = self.take("this")
        while not self.take(right):
            params = self.take("params")
            by_ref = self.take("ref")
            by_out = self.take("out") or by_ref
            type_, _ = self.type()
            name = self.next()
            default: object = MISSING
            if self.take("="):
                default = _constant(self.next())
            out.append(Parameter(name, type_, default, params, by_out, by_ref))
            self.take(",")
        return tuple(out), extension


def _constant(text: str) -> object:
    if text.startswith('"'):
        return text[1:-1]
    return (
        {"true": True, "false": False, "null": None}.get(text, text)
        if not text.lstrip("-").isdigit()
        else int(text)
    )


# Value types that a signature may mark with `?` to mean Nullable<T>.
_VALUE_NAMES: Final = frozenset(
    (*NUMERIC, "bool", "DateTime", "DateTimeOffset", "TimeSpan", "Guid", "KeyValuePair")
)
