"""Every log line that the service can write, read out of its source: event, level and fields."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEVELS = ("debug", "info", "warning", "error")
SERVICE = ("app", "workers")
LEFT_OUT = ("practice", "migrations")
"""The practice company is no part of the service; a migration's lines are Alembic's."""


@dataclass
class Event:
    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    """`**name`: more than the call names, put together as the program goes."""


def events() -> dict[str, Event]:
    found: dict[str, Event] = defaultdict(Event)
    for file in _files():
        for function, call, levels in _calls(_tree(file)):
            fields = {word.arg or f"**{ast.unparse(word.value)}" for word in call.keywords} | _bound(function)
            for event in _names(call.args[0], file):
                found[event].levels |= levels
                found[event].fields |= fields
    return dict(found)


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _files() -> Iterator[Path]:
    for folder in SERVICE:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if not set(LEFT_OUT) & set(file.relative_to(ROOT).parts):
                yield file


def _calls(tree: ast.AST) -> Iterator[tuple[ast.AST, ast.Call, set[str]]]:
    """(the function around it, the call, its levels) of every call that writes a line."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            nodes = list(ast.walk(function))
            assigned = [node for node in nodes if isinstance(node, ast.Assign)]
            for node in nodes:
                if isinstance(node, ast.Call) and node.args and (levels := _levels(node.func, assigned)):
                    yield function, node, levels


def _levels(called: ast.expr, assigned: list[ast.Assign]) -> set[str]:
    if isinstance(called, ast.Attribute) and called.attr in LEVELS and _is_logger(called.value):
        return {called.attr}
    if isinstance(called, ast.Name):  # `write = log.warning if … else log.info`
        given = [each.value for each in assigned if _assigns(each, called.id)]
        parts = [part for value in given for part in ast.walk(value) if isinstance(part, ast.Attribute)]
        return {part.attr for part in parts if part.attr in LEVELS and _is_logger(part.value)}
    return set()


def _assigns(statement: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in statement.targets)


def _is_logger(value: ast.expr) -> bool:
    if isinstance(value, ast.Name):
        return value.id in ("log", "bound")
    return isinstance(value, ast.Call) and ast.unparse(value.func) == "structlog.get_logger"


def _bound(function: ast.AST) -> set[str]:
    """The fields of `bound = log.bind(…)` in this function."""
    binds = (node for node in ast.walk(function) if isinstance(node, ast.Call) and ast.unparse(node.func) == "log.bind")
    return {word.arg for bind in binds for word in bind.keywords if word.arg}


def _names(first: ast.expr, file: Path) -> set[str]:
    if isinstance(first, ast.Constant):
        return {str(first.value)}
    if isinstance(first, ast.IfExp):
        return _names(first.body, file) | _names(first.orelse, file)
    text = ast.unparse(first)
    if text == "action":
        return _actions(file)
    if text in ("self._began", "self._over"):
        return {arguments[text == "self._over"] for arguments in _outages()}
    raise AssertionError(f"{file}: an event that nobody can look up: {text}")


@cache
def _actions(file: Path) -> set[str]:
    """The words that are given to a function of this file as its `action`."""
    tree = _tree(file)
    takers = {
        each.name: [argument.arg for argument in (*each.args.args, *each.args.kwonlyargs)]
        for each in ast.walk(tree)
        if isinstance(each, ast.FunctionDef) and "action" in ast.unparse(each.args)
    }
    found: set[str] = set()
    for other in _files():
        for node in ast.walk(_tree(other)):
            name = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in takers and (other == file or not name.startswith("_")):
                given = [word.value for word in node.keywords if word.arg == "action"]
                place = takers[name].index("action")
                given += node.args[place : place + 1]
                found |= {str(each.value) for each in given if isinstance(each, ast.Constant)}
    return found


@cache
def _outages() -> list[tuple[str, str]]:
    calls = (node for file in _files() for node in ast.walk(_tree(file)) if isinstance(node, ast.Call))
    outages = (call.args[:2] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Outage")
    return [(ast.literal_eval(began), ast.literal_eval(over)) for began, over in outages]
