"""The rooms of every layer can be seen at a glance: few of them, few loose modules, no circles, no long module.

A room is a sub-package of a layer. A loose module is one at the top of a layer's folder. `pytest -s` prints the rooms
and whom each of them uses; a failure prints them as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("app.domain", "app.storage", "app.use_cases", "app.web", "app.web.screens", "app.practice")
MOST_ROOMS = 12
MOST_LOOSE_MODULES = 10
LONGEST_MODULE = 400

Graph = Mapping[str, set[str]]


@cache
def imports() -> Graph:
    """Module → modules it imports, also inside functions and for type checking only."""
    graph = grimp.build_graph("app", "workers", cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def parts(layer: str) -> dict[str, set[str]]:
    """Room or loose module → the modules in it."""
    found: dict[str, set[str]] = {}
    for module in imports():
        if module.startswith(f"{layer}."):
            found.setdefault(module[len(layer) + 1 :].split(".")[0], set()).add(module)
    return found


def rooms(layer: str) -> set[str]:
    return {name for name, modules in parts(layer).items() if len(modules) > 1 or is_package(f"{layer}.{name}")}


def is_package(module: str) -> bool:
    return (ROOT / module.replace(".", "/")).is_dir()


def uses(layer: str) -> dict[str, set[str]]:
    """Room or loose module → what else of the layer it imports."""
    owner = {module: name for name, modules in parts(layer).items() for module in modules}
    found: dict[str, set[str]] = {name: set() for name in parts(layer)}
    for module, name in owner.items():
        found[name] |= {owner[other] for other in imports()[module] if other in owner} - {name}
    return found


def drawn(layer: str) -> str:
    lines = [f"{layer}: {len(rooms(layer))} rooms, {len(parts(layer)) - len(rooms(layer))} loose modules"]
    for name, used in sorted(uses(layer).items()):
        lines.append(f"  {name + ('/' if name in rooms(layer) else ''):24} → {', '.join(sorted(used)) or '—'}")
    return "\n".join(lines)


def circles(graph: Graph) -> list[list[str]]:
    """Every circle once, as the names on it: what is left when everything without a way onward is taken out."""
    reach = {name: reachable(graph, name) for name in graph}
    found = {frozenset(other for other in graph if other in reach[name] and name in reach[other]) for name in graph}
    return sorted(sorted(circle) for circle in found if circle)


def reachable(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    following = set(graph[start])
    while following:
        found |= following
        following = {other for name in following for other in graph.get(name, ())} - found
    return found


def test_the_rooms_are_printed() -> None:
    for layer in LAYERS:
        print(f"\n{drawn(layer)}")
        assert len(parts(layer)) > 3


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_has_few_rooms(layer: str) -> None:
    assert len(rooms(layer)) <= MOST_ROOMS, drawn(layer)


@pytest.mark.parametrize("layer", LAYERS)
def test_few_modules_lie_loose_at_the_top_of_a_layer(layer: str) -> None:
    assert len(parts(layer)) - len(rooms(layer)) <= MOST_LOOSE_MODULES, drawn(layer)


@pytest.mark.parametrize("layer", LAYERS)
def test_no_two_rooms_import_each_other(layer: str) -> None:
    graph = uses(layer)
    assert [(a, b) for a in graph for b in graph[a] if a < b and a in graph[b]] == [], drawn(layer)


@pytest.mark.parametrize("layer", LAYERS)
def test_rooms_form_no_circle(layer: str) -> None:
    assert circles(uses(layer)) == [], drawn(layer)


def test_modules_form_no_circle() -> None:
    assert circles(imports()) == []


def test_every_room_says_what_it_holds() -> None:
    silent = [
        f"{layer}.{room}"
        for layer in LAYERS
        for room in rooms(layer)
        if not (ROOT / layer.replace(".", "/") / room / "__init__.py").read_text(encoding="utf-8").startswith('"""')
    ]
    assert silent == []


def long_modules() -> Iterator[tuple[str, int]]:
    for folder in ("app", "workers"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            lines = len(file.read_text(encoding="utf-8").splitlines())
            if lines >= LONGEST_MODULE and "versions" not in file.parts:  # a migration never changes again
                yield str(file.relative_to(ROOT)), lines


def test_no_module_is_long() -> None:
    assert list(long_modules()) == []
