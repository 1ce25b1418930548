"""Reads from the source of the app every code that it gives to people: where codes are made, and what stands there.

A place is a call that takes a code: an error, a note, an outcome, a conversion that fails, or any function with a
parameter that is named like one. What stands there is followed through names, conditions, dictionaries and the returns
of our own functions, as far as it is written as text. Codes that are only passed on need no search.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path

from app.domain.enums import System

APP = Path(__file__).parents[2] / "app"
NAMES = frozenset({"code", "error_code", "reason", "why", "why_not"})
"""How parameters are called that take a code."""
PLACES = {
    "TemporaryError": 0,
    "ItemError": 0,
    "QuestionError": 0,
    "RunError": 0,
    "CannotEncode": 0,
    "Unconvertible": 0,
    "Note": 0,
    "NewNote": 0,
    "Rule": 0,
    "TakenNumber": 0,
    "Sign": 0,
    "ItemOutcome": 1,
    "WithoutItem": 1,
}
"""Calls whose argument at this place is a code."""
GIVERS = (
    ("app.adapters.freee.signs", "recognise"),
    ("app.adapters.smarthr.signs", "recognise"),
    ("app.adapters.signs", "code_by_status"),
    ("app.use_cases.planning.planned_item", "state_of"),
    ("app.domain.japanese.normal_form", "question"),
    ("app.domain.planning.seconding", "_verdict"),
)
"""Functions that give back codes."""
HOLDERS = (("app.domain.planning.stopping", "STOPPED_CODES"),)
"""Constants that hold codes: a piece of a plan that does not travel is noted with one of these."""
NOT_OURS = frozenset({"redirect", "exit", "replace", "Whole", "Number", "Text", "problem", "warning", "info"})
"""Calls with an argument named like a code that is none of the catalogue: HTTP, fields of a request, the log."""
OTHER_WORDS = (
    *("app.web.api", "app.web.http.errors", "app.web.http.problems", "app.web.http.bearer_auth"),
    *("app.web.webhook_receiver", "app.storage.metrics"),
    *("app.doctor", "app.safety", "app.config"),
)
"""Where a code is the kind of a bad request (`app.web.http.problems`), a label of a metric, or a finding about the
settings, which brings its own sentence and remedy."""
_CODE = re.compile(r"E\d+|[a-z][a-z0-9]*(_[a-z0-9]+)*")
_DEEPEST = 16


@dataclass(frozen=True)
class Module:
    name: str
    tree: ast.Module
    constants: dict[str, ast.expr] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    module: str
    line: int
    code: str


@cache
def modules() -> dict[str, Module]:
    found = {}
    for path in sorted(APP.rglob("*.py")):
        parts = path.relative_to(APP.parent).with_suffix("").parts
        if "practice" not in parts and "migrations" not in parts and "error_catalogue" not in parts[:-1]:
            module = Module(".".join(parts), ast.parse(path.read_text(encoding="utf-8")))
            _learn(module)
            found[module.name] = module
    return found


def _learn(module: Module) -> None:
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            for target, value in _one_by_one(node.targets[0], node.value):
                if isinstance(target, ast.Name):
                    module.constants[target.id] = value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            module.constants[node.target.id] = node.value
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                module.imported[alias.asname or alias.name] = (node.module, alias.name)


def _one_by_one(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The assignments of one line, as in `A, B = "a", "b"`."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        yield from zip(target.elts, value.elts, strict=True)
    else:
        yield target, value


@cache
def functions() -> dict[str, list[tuple[Module, ast.FunctionDef]]]:
    found: dict[str, list[tuple[Module, ast.FunctionDef]]] = {}
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append((module, node))
    return found


@cache
def places() -> dict[str, int]:
    """Name of a call → place of its code. Beside the known ones: our own functions with a parameter of such a name."""
    found = dict(PLACES)
    for name, definitions in functions().items():
        for _, definition in definitions:
            given = [arg.arg for arg in definition.args.args if arg.arg not in ("self", "cls")]
            for place, parameter in enumerate(given):
                if parameter in NAMES and name != "__init__" and name not in NOT_OURS:
                    found.setdefault(name, place)
    return found


def codes() -> Iterator[Found]:
    """Every code that is given anywhere."""
    for module in modules().values():
        if module.name.startswith(OTHER_WORDS):
            continue
        for scope in _scopes(module.tree):
            for node in _inside(scope):
                if isinstance(node, ast.Call):
                    for given in _given(node):
                        for code in _texts(given, module, scope, _DEEPEST):
                            yield Found(module.name, node.lineno, code)
    for origin, name in GIVERS:
        for module, definition in functions().get(name, ()):
            if module.name == origin:
                for code in _returned(module, definition, _DEEPEST):
                    yield Found(module.name, definition.lineno, code)
    for origin, name in HOLDERS:
        module = modules()[origin]
        node = module.constants[name]
        for code in _texts(node, module, module.tree, _DEEPEST):
            yield Found(module.name, node.lineno, code)
    for module, definition in functions()["__init__"]:
        if definition in _errors("AwaseError", but="Refused") and not module.name.startswith(OTHER_WORDS):
            for node in _inside(definition):
                if isinstance(node, ast.Call) and _called(node) == "__init__" and node.args:
                    for code in _texts(node.args[0], module, definition, _DEEPEST):
                        yield Found(module.name, node.lineno, code)


@cache
def _errors(root: str, *, but: str = "") -> frozenset[ast.FunctionDef]:
    """The `__init__` of every class that comes from `root`, without those that come from `but`."""
    classes = [n for module in modules().values() for n in ast.walk(module.tree) if isinstance(n, ast.ClassDef)]
    errors, more = {root}, True
    while more:
        by_name = {c.name: {base.id for base in c.bases if isinstance(base, ast.Name)} for c in classes}
        found = {name for name, bases in by_name.items() if errors & bases} - {but}
        more, errors = not found <= errors, errors | found
    parts = (part for c in classes if c.name in errors for part in c.body)
    return frozenset(part for part in parts if isinstance(part, ast.FunctionDef) and part.name == "__init__")


def _given(node: ast.Call) -> Iterator[ast.expr]:
    name = _called(node)
    if name in NOT_OURS:
        return
    place = places().get(name)
    if place is not None and len(node.args) > place:
        yield node.args[place]
    for each in node.keywords:
        if each.arg in NAMES:
            yield each.value
        elif each.arg == "refused" and isinstance(each.value, ast.Tuple):  # pairs: a vendor's word, our code
            yield from (pair.elts[-1] for pair in each.value.elts if isinstance(pair, ast.Tuple))


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _scopes(tree: ast.Module) -> Iterator[ast.AST]:
    yield tree
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _inside(scope: ast.AST, *, apart: type[ast.AST] | tuple[type[ast.AST], ...] = ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a scope without those of the functions in it."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, apart):
            waiting.extend(ast.iter_child_nodes(node))


def _texts(node: ast.expr | None, module: Module, scope: ast.AST, depth: int) -> Iterator[str]:
    """The texts that an expression can be."""
    if node is None or depth == 0:
        return
    deeper = [node.value] if isinstance(node, (ast.Subscript, ast.Starred, ast.NamedExpr)) else []
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str) and _CODE.fullmatch(node.value):
            yield node.value
    elif isinstance(node, ast.IfExp):
        deeper += [node.body, node.orelse]
    elif isinstance(node, (ast.BoolOp, ast.Tuple, ast.List, ast.Set)):
        deeper += node.values if isinstance(node, ast.BoolOp) else node.elts
    elif isinstance(node, ast.BinOp):
        deeper += [node.left, node.right]
    elif isinstance(node, ast.Dict):
        deeper += node.values
    elif isinstance(node, ast.DictComp):
        deeper.append(node.value)
    elif isinstance(node, (ast.GeneratorExp, ast.ListComp)):
        deeper.append(node.elt)
    elif isinstance(node, ast.Call):
        yield from _of_call(node, module, scope, depth)
    elif isinstance(node, ast.Name):
        yield from _of_name(node.id, module, scope, depth)
    elif isinstance(node, ast.JoinedStr):
        parts = [_of_part(part, module, scope, depth - 1) for part in node.values]
        yield from filter(_CODE.fullmatch, map("".join, product(*parts)))
    for each in deeper:
        yield from _texts(each, module, scope, depth - 1)


def _of_part(node: ast.expr, module: Module, scope: ast.AST, depth: int) -> list[str]:
    """What a part of an f-string can be: its own text, the name of a system, or what the expression can be."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    value = node.value if isinstance(node, ast.FormattedValue) else node
    if ast.unparse(value).endswith("system.value"):
        return [system.value for system in System]
    return list(_texts(value, module, scope, depth))


def _of_call(node: ast.Call, module: Module, scope: ast.AST, depth: int) -> Iterator[str]:
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "items", "values"):
        yield from _texts(node.func.value, module, scope, depth - 1)
        for default in node.args[1:]:
            yield from _texts(default, module, scope, depth - 1)
        return
    if _called(node) in ("next", "iter", "tuple", "list", "sorted", "dict", "frozenset", "Counter"):
        for each in node.args:
            yield from _texts(each, module, scope, depth - 1)
    origin = module.imported.get(_called(node), (module.name, ""))[0]
    for where, definition in functions().get(_called(node), ()):
        if isinstance(node.func, ast.Attribute) or where.name == origin:
            yield from _returned(where, definition, depth - 1)


def _returned(module: Module, definition: ast.FunctionDef, depth: int) -> Iterator[str]:
    for node in _inside(definition):
        if isinstance(node, (ast.Return, ast.Yield)):
            yield from _texts(node.value, module, definition, depth)


def _of_name(name: str, module: Module, scope: ast.AST, depth: int) -> Iterator[str]:
    """What a name stands for: what the scope gives it, else a constant of this or another module."""
    for node in _inside(scope, apart=(ast.FunctionDef, ast.ClassDef)):
        for target, value in _bindings(node):
            if name in {each.id for each in ast.walk(target) if isinstance(each, ast.Name)}:
                yield from _texts(value, module, scope, depth - 1)
    if name in module.constants:
        yield from _texts(module.constants[name], module, module.tree, depth - 1)
    elif name in module.imported:
        origin, original = module.imported[name]
        there = modules().get(origin)
        if there is not None and original in there.constants:
            yield from _texts(there.constants[original], there, there.tree, depth - 1)


def _bindings(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _one_by_one(target, node.value)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, (ast.For, ast.comprehension)):
        yield node.target, node.iter
