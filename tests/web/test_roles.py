"""Each page × each role, and each button × each role: who may, who may not, and that 運用 sees nothing of anybody."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from app.domain.access.roles import Permission, Role
from app.domain.enums import Direction
from app.factory import create_app
from app.use_cases.accounts.api_keys import Scope, add_key
from app.use_cases.upkeep import relay
from tests.house import KEY, House
from tests.web.addresses import Stock, addresses
from tests.web.visitor import visitor

pytestmark = pytest.mark.reach("test")  # long journeys

EVERYBODY = "admin member viewer ops"
PEOPLE = "admin member viewer"
SYNC = "admin member"
ENGINE = "admin ops"
ADMIN = "admin"
OPEN = frozenset({"screens.sign_in", "screens.begin", "screens.choose_language", "screens.static_file"})
OPEN_TO_WHO_WAS_INVITED = frozenset({"screens.invitation", "screens.accept_invitation"})

ALLOWED: Mapping[str, str] = {
    "attention": EVERYBODY, "attention_people": PEOPLE, "attention_act": SYNC, "attention_resume": ENGINE,
    "home": EVERYBODY, "home_panels": EVERYBODY, "sign_out": EVERYBODY,
    "account": EVERYBODY, "change_language": EVERYBODY, "change_password": EVERYBODY, "sign_out_everywhere": EVERYBODY,
    "own_sessions": EVERYBODY, "end_own_session": EVERYBODY, "end_other_sessions": EVERYBODY,
    "new_password": EVERYBODY, "choose_password": EVERYBODY,
    "history": EVERYBODY, "run": EVERYBODY, "run_progress": EVERYBODY, "run_csv": EVERYBODY,
    "run_mail": PEOPLE, "run_mail_html": PEOPLE, "preview": PEOPLE, "reading": PEOPLE, "confirm": PEOPLE,
    "decisions": PEOPLE, "approve_alone": ADMIN,
    "person_values": PEOPLE, "people_found": PEOPLE, "person_history": PEOPLE,
    "links": PEOPLE, "links_all": PEOPLE, "links_compare": PEOPLE, "links_pair": PEOPLE, "links_join": SYNC,
    "links_decide": SYNC,
    "start": SYNC, "begin_sync": SYNC, "choose": SYNC, "overwrite": SYNC, "ask_approval": SYNC, "approve": SYNC,
    "read_again": SYNC,
    "discard": SYNC, "ask": SYNC, "cancel_run": SYNC, "retry_run": SYNC, "undo": SYNC, "begin_undo": SYNC,
    "connections": ADMIN, "connection": ADMIN, "change_connection": ADMIN, "connect": ADMIN, "begin_setup": ADMIN,
    "setup": ADMIN, "setup_step": ADMIN, "setup_company": ADMIN, "end_setup": ADMIN, "setup_export": ADMIN,
    "setup_consent": ADMIN, "setup_webhook": ADMIN,
    "ask_deletion": ADMIN, "delete_connection": ADMIN, "pay_schedules": ADMIN, "trial": ADMIN, "trial_people": ADMIN,
    "engine": ENGINE, "engine_now": ENGINE, "engine_ask": ENGINE, "engine_act": ENGINE, "deliveries": ENGINE,
    "delivery": ENGINE, "replay_delivery": ENGINE, "ask_replay": ENGINE, "replay_deliveries": ENGINE,
    "users": ADMIN, "users_disable": ADMIN, "users_enable": ADMIN, "users_role": ADMIN, "users_password": ADMIN,
    "users_invite": ADMIN,
    "users_revoke": ADMIN, "audit": ADMIN, "audit_export": ADMIN, "audit_file": ADMIN,
    "user_sessions": ADMIN, "end_user_session": ADMIN, "end_user_sessions": ADMIN,
    "keys": ADMIN, "keys_add": ADMIN, "keys_ask": ADMIN, "keys_revoke": ADMIN,
}  # fmt: skip


@pytest.fixture
def stock(house: House) -> Stock:
    finished = house.run(Direction.SMARTHR_TO_FREEE, started_by="user:1")
    previewed = house.run(Direction.FREEE_TO_SMARTHR, dry_run=True, started_by="user:1")
    running = house.start(Direction.SMARTHR_TO_FREEE, started_by="user:1")
    relay.relay_once(house.ctx)
    prefix = add_key(house.ctx, "連携", [Scope.RUNS_READ]).split("_")[1]
    more = {
        "user_id": 1,
        "delivery_id": 1,
        "section": "name",
        "step": "smarthr",
        "token": "x",
        "invitation_id": 1,
        "prefix": prefix,
        "session_id": 1,
    }
    return Stock(finished.id, previewed.id, running.id, KEY, more=more)


def test_every_page_and_button_is_in_the_table(house: House) -> None:
    rules = create_app(house.ctx).url_map.iter_rules()
    known = {f"screens.{name}" for name in ALLOWED} | OPEN | OPEN_TO_WHO_WAS_INVITED
    found = {rule.endpoint for rule in rules if rule.endpoint.startswith("screens.")}
    assert found - known == set(), "say in ALLOWED who may, by the name of the view"
    assert known - found == set(), "no such view any more: take it out of ALLOWED"


@pytest.mark.few(2)
@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
def test_each_page_for_each_role(house: House, stock: Stock, role: Role) -> None:
    app = create_app(house.ctx)
    somebody = visitor(house.ctx, app.test_client(), role)
    wrong = []
    for endpoint, address in addresses(app, stock):
        if endpoint in OPEN | OPEN_TO_WHO_WAS_INVITED:
            continue
        forbidden = somebody.client.get(address).status_code == 403
        if forbidden == (role.value in ALLOWED[endpoint.removeprefix("screens.")].split()):
            wrong.append((address, forbidden))
    assert wrong == []


@pytest.mark.few(2)
@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
def test_each_button_for_each_role(house: House, stock: Stock, role: Role) -> None:
    """Who may not is told so before anything else is looked at; who may gets past that, to whatever is asked."""
    app = create_app(house.ctx)
    app.config["WTF_CSRF_ENABLED"] = False  # its own test: test_screen
    builder = app.url_map.bind("localhost")
    somebody = visitor(house.ctx, app.test_client(), role)
    wrong = []
    for rule in app.url_map.iter_rules():
        name = rule.endpoint.removeprefix("screens.")
        places = stock.places(rule.endpoint)
        if "POST" not in (rule.methods or ()) or name not in ALLOWED or not rule.arguments <= set(places):
            continue
        if role.value in ALLOWED[name].split():
            continue
        address = builder.build(rule.endpoint, {each: places[each] for each in rule.arguments}, method="POST")
        if somebody.client.post(address).status_code != 403:
            wrong.append(address)
    assert wrong == []


def test_operations_see_nobodys_number_name_or_value(house: House, stock: Stock) -> None:
    app = create_app(house.ctx)
    ops = visitor(house.ctx, app.test_client(), Role.OPS)
    crews = house.company.crews
    names = {crew["last_name"] + " " + crew["first_name"] for crew in crews}
    numbers = {crew["emp_code"] for crew in crews if len(crew["emp_code"] or "") >= 4}
    seen = []
    for endpoint, address in addresses(app, stock):
        answer = ops.client.get(address)
        if endpoint == "screens.static_file" or answer.status_code != 200:
            continue
        ops.page = answer
        words = ops.words
        seen += [(address, found) for found in names | {f" {number} " for number in numbers} if found in f" {words} "]
    assert seen == []


def test_a_viewer_sees_values_and_masks(house: House, stock: Stock) -> None:
    app = create_app(house.ctx)
    viewer, member = (visitor(house.ctx, app.test_client(), role) for role in (Role.VIEWER, Role.MEMBER))
    pages = [each.open(f"/runs/{stock.previewed}/confirm") for each in (viewer, member)]
    assert "••••" in pages[0] and "••••" not in pages[1]


def test_only_administrators_may_everything() -> None:
    assert Role.ADMIN.permissions == frozenset(Permission)
    assert all(role.permissions < frozenset(Permission) for role in Role if role is not Role.ADMIN)
    assert Permission.SEE_PEOPLE not in Role.OPS.permissions
