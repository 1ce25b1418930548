"""The audit trail on its page: order, paging, the filter, and a word for everything that anybody writes into it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from app.domain.access.audit_chain import PURGED
from app.domain.access.roles import Role
from app.storage.links.healing import TRIED_AGAIN
from app.use_cases.accounts.api_keys import add_key, revoke_key
from app.use_cases.accounts.refusals import LEFT_OUT
from app.use_cases.queries.audit_trail import PAGE, audit_page
from app.web.i18n import LOCALES, catalogue
from tests.statements import statements
from tests.web.visitor import Visitor
from tests.web.world import World

pytestmark = pytest.mark.reach("test")  # long journeys

Visit = Callable[..., Visitor]
APP = Path(__file__).resolve().parents[2] / "app"


def add(world: World, *, count: int = 1, subject: str = "run:abc", action: str = "run_started") -> None:
    with world.ctx.unit_of_work() as uow:
        for n in range(count):
            uow.audit.add(actor="cli", action=action, subject=subject, now=world.clock.now(), detail={"n": n})


def test_the_newest_first_and_page_by_page(visit: Visit, world: World) -> None:
    add(world, count=2 * PAGE + 10)
    admin = visit(Role.ADMIN)
    shown = [admin.open("/audit")]
    while 'rel="next"' in admin.text:
        address = admin.text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
        shown.append(admin.open(address))
    assert [page.count("<tr>") - 1 for page in shown] == [PAGE, PAGE, 12]
    numbers = [n for page in shown for n in page.split("n: ")[1:]]
    assert [int(n.split("<")[0]) for n in numbers] == list(range(2 * PAGE + 9, -1, -1))


def test_only_one_subject(visit: Visit, world: World) -> None:
    add(world, subject="run:abc")
    add(world, subject="connection:renshu", action="connection_added")
    admin = visit(Role.ADMIN)
    assert "同期 abc" in admin.open("/audit") and "連携 renshu" in admin.text
    assert "同期 abc" in admin.open("/audit?subject=run:abc") and "連携 renshu" not in admin.text
    assert "まだ記録がありません" in admin.open("/audit?subject=run:none")


@pytest.mark.parametrize(
    "query", ["before=x", "before=-1", "before=99999999999999999999999", "subject=%00", "subject=" + "x" * 300]
)
def test_an_address_somebody_made_up_shows_everything(query: str, visit: Visit, world: World) -> None:
    add(world)
    assert "同期 abc" in visit(Role.ADMIN).open(f"/audit?{query}")


def test_what_a_newer_version_wrote_is_shown_as_it_is(visit: Visit, world: World) -> None:
    add(world, subject="moon:7", action="flown_to")
    admin = visit(Role.ADMIN)
    assert "flown_to" in admin.open("/audit") and "moon:7" in admin.text


def test_in_english(visit: Visit, world: World) -> None:
    add(world)
    admin = visit(Role.ADMIN)
    admin.open("/account")
    admin.send("/account/language", locale="en")
    assert "Started a sync" in admin.open("/audit") and "Command line" in admin.text


def test_keys_are_noted(world: World) -> None:
    prefix = add_key(world.ctx, "人事", ["runs:read"]).split("_")[1]
    revoke_key(world.ctx, prefix)
    revoke_key(world.ctx, prefix)
    entries = audit_page(world.ctx, subject=f"key:{prefix}").entries
    assert [entry.action for entry in entries] == ["key_revoked", "key_added"], "the second time changed nothing"
    assert entries[1].detail == {"name": "人事", "scopes": ["runs:read"]}


@pytest.mark.database("sqlite")
def test_a_page_asks_the_database_little_however_long_the_trail(visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN)
    add(world, count=PAGE + 1)
    with statements(world.database.engine) as asked:
        admin.open("/audit")
    assert 0 < len([statement for statement in asked if statement.startswith("SELECT")]) <= 4


# ── a word for every action ───────────────────────────────────────────────────────────────────────────────────────


@cache
def actions_used() -> set[str]:
    """Every text in the sources that ends up as `action=`: given by name, by position, through a variable."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in APP.rglob("*.py") if "practice" not in file.parts]
    shared = _takers(ast.parse((APP / "use_cases" / "connections" / "setting_changes.py").read_text(encoding="utf-8")))
    return {word for tree in trees for word in _actions(tree, shared)} | {LEFT_OUT, PURGED, TRIED_AGAIN}


def _takers(tree: ast.Module) -> dict[str, int]:
    """Function → the place of its argument `action`."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    places = {function.name: [argument.arg for argument in function.args.args] for function in functions}
    return {name: arguments.index("action") for name, arguments in places.items() if "action" in arguments}


def _actions(tree: ast.Module, shared: Mapping[str, int]) -> Iterator[str]:
    nodes = list(ast.walk(tree))
    constants = {
        t.id: n.value for n in nodes if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)
    }
    taking = {**shared, **_takers(tree)}
    for node in nodes:
        if isinstance(node, ast.Call):
            given = [keyword.value for keyword in node.keywords if keyword.arg == "action"]
            place = taking.get(getattr(node.func, "id", ""))
            given += node.args[place : place + 1] if place is not None else []
            for value in given:
                yield from _texts(value, constants)
        elif isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "action" for target in node.targets):
            yield from _texts(node.value, constants)


def _texts(value: ast.expr, constants: dict[str, ast.expr]) -> Iterator[str]:
    if isinstance(value, ast.IfExp):
        yield from _texts(value.body, constants)
        yield from _texts(value.orelse, constants)
    elif isinstance(value, ast.Name) and value.id in constants and value.id != "action":
        yield from _texts(constants[value.id], constants)
    elif isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value


def test_every_action_has_its_word() -> None:
    used = actions_used()
    assert {"signed_in", "sign_in_failed", "role_changed", "key_added", "user_invited"} <= used
    for locale in LOCALES:
        assert sorted(word for word in used if f"audit.actions.{word}" not in catalogue(locale)) == []


def test_no_action_has_a_word_that_nobody_uses() -> None:
    known = {key.rpartition(".")[2] for key in catalogue("ja") if key.startswith("audit.actions.")}
    assert sorted(known - actions_used()) == []
