"""What waits for a second person, on the pages, through the API and on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from flask import Flask

from app.domain.access.roles import Role
from app.factory import create_app
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.accounts.api_keys import add_key
from tests.forms import token_in
from tests.house import KEY, House
from tests.listening import now_in_japan
from tests.use_cases.test_job import only
from tests.use_cases.test_two_persons import TO_FREEE, Office
from tests.web.visitor import PASSWORD, Visitor, visitor

pytestmark = pytest.mark.reach("test")  # long journeys


@pytest.fixture
def office(open_practice: Callable[..., House], company: PracticeCompany) -> Office:
    house = open_practice(only(company, "equal", most=2))
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    office = Office(house)
    office.move_account(number="9000001")
    office.run(office.aoki)
    return office


@pytest.fixture
def app(office: Office) -> Flask:
    return create_app(office.house.ctx)


def signed_in(app: Flask, name: str) -> Visitor:
    made = Visitor(app.test_client())
    assert made.sign_in(f"{name}@example.invalid", PASSWORD).status_code == 200
    return made


def test_the_list_tells_who_is_first_until_when_and_who_may_decide(office: Office, app: Flask) -> None:
    run = office.waiting[0].run
    first, second, viewer = (signed_in(app, name) for name in ("aoki", "baba", "view"))
    assert "1件、対応が必要です" in first.open("/")
    page = second.open("/decisions")
    assert "練習用の会社" in page and "aoki@example.invalid" in page and f"/runs/{run}/confirm" in page
    assert "確かめて決める" in page
    assert "あなたはこの同期を始めたか承認した1人目" in first.open("/decisions")
    assert "あなたの役割では承認できません" in viewer.open("/decisions")
    ops = visitor(office.house.ctx, app.test_client(), Role.OPS)
    ops.open("/decisions", status=403)


def test_the_second_person_sees_before_and_after_and_approves(office: Office, app: Flask) -> None:
    run, second = office.waiting[0].run, signed_in(app, "baba")
    before = office.account()
    page = second.open(f"/runs/{run}/confirm")
    assert before in page and "9000001" in page and "2人目として承認する" in page
    assert "••••" in signed_in(app, "view").open(f"/runs/{run}/confirm")
    second.send(f"/runs/{run}/approve")
    office.house.work()
    assert office.account() == "9000001"
    assert "2人目の承認" not in second.open("/")
    assert "1人目" in second.open(f"/runs/{run}")


def test_the_same_persons_second_click_is_refused_with_a_reason(office: Office, app: Flask) -> None:
    run, first = office.waiting[0].run, signed_in(app, "aoki")
    before = office.account()
    page = first.open(f"/runs/{run}/confirm")
    assert "2人目として承認する" not in page and "あなたはこの同期を始めたか承認した1人目" in page
    answer = first.client.post(f"/runs/{run}/approve", data={"csrf_token": token_in(page)})
    assert answer.status_code == 403 and "2人目になれません" in answer.get_data(as_text=True)
    office.house.work()
    assert office.account() == before


def test_a_page_that_shows_less_than_waits_by_now_approves_nothing(office: Office, app: Flask) -> None:
    run, second = office.waiting[0].run, signed_in(app, "baba")
    before = office.account(1)
    second.open(f"/runs/{run}/confirm")
    office.house.clock.turn(minutes=1)
    office.move_account(1, number="9000009")
    office.run(office.aoki)  # joins the same decision
    second.send(f"/runs/{run}/approve")
    office.house.work()
    assert office.account(1) == before
    assert len(office.waiting) == 1


def test_declining_writes_nothing(office: Office, app: Flask) -> None:
    run, second = office.waiting[0].run, signed_in(app, "baba")
    before = office.account()
    second.open(f"/runs/{run}/confirm")
    second.send(f"/runs/{run}/discard", confirmed="yes")
    office.house.work()
    assert (office.account(), office.waiting) == (before, [])
    assert "取り下げました" in second.open(f"/runs/{run}")


def test_the_emergency_way_on_the_page(office: Office, app: Flask) -> None:
    run, first = office.waiting[0].run, signed_in(app, "aoki")
    first.open(f"/runs/{run}/confirm")
    first.send(f"/runs/{run}/alone", reason="急ぎ")
    assert "理由を10〜1000文字" in first.text
    first.open(f"/runs/{run}/confirm")
    first.send(f"/runs/{run}/alone", reason="給与の振込が今日のため、1人で承認します")
    office.house.work()
    assert office.account() == "9000001"
    assert "給与の振込が今日のため" in first.open(f"/runs/{run}") and "緊急の承認" in first.text
    assert "1人で承認した(緊急)" in first.open("/audit")


def test_the_settings_page_switches_it_and_warns(office: Office, app: Flask) -> None:
    admin = signed_in(app, "baba")
    admin.open(f"/connections/{KEY}")
    admin.send(f"/connections/{KEY}/two_persons", two_persons="accounts_and_income", hours="0")
    assert "1から720まで" in admin.text
    admin.open(f"/connections/{KEY}")
    admin.send(f"/connections/{KEY}/two_persons", two_persons="off", hours="24")
    assert "この設定を最後に切ったのは baba@example.invalid" in admin.text
    connection = office.house.connection
    assert (connection.two_persons.value, connection.two_persons_off_by) == ("off", office.baba)


def test_the_api_tells_until_when_and_refuses_a_key(office: Office, app: Flask) -> None:
    run, client = office.waiting[0].run, app.test_client()
    token = add_key(office.house.ctx, "すべて", ["runs:read", "runs:write", "accounts:write", "ops:read"])
    headers = {"Authorization": f"Bearer {token}"}
    shown = client.get(f"/api/v1/runs/{run}", headers=headers).json
    assert shown and shown["decide_until"] and shown["state"] == "previewed" and shown["trigger"] == "held"
    answer = client.post(f"/api/v1/runs/{run}/approve", headers=headers, json={})
    assert (answer.status_code, answer.json and answer.json["code"]) == (403, "second_person_no_user")
    listed = client.get("/api/v1/connections", headers=headers).json
    assert listed and listed["items"][0]["two_persons"] == "accounts"
    plain = {"Authorization": f"Bearer {add_key(office.house.ctx, '同期', ['runs:write'])}"}
    body = {"connection": KEY, "direction": "smarthr_to_freee", "employees": "all"}
    body["as_of_date"] = now_in_japan(office.house).isoformat()
    answer = client.post("/api/v1/runs", headers=plain, json=body)
    assert (answer.status_code, answer.json and answer.json["code"]) == (403, "accounts_scope_missing")
    assert client.post("/api/v1/runs", headers=plain, json={**body, "dry_run": True}).status_code == 202


def test_the_command_line_is_no_second_person_but_has_the_emergency_way(office: Office, app: Flask) -> None:
    run, runner = office.waiting[0].run, app.test_cli_runner()
    before = office.account()
    refused = runner.invoke(args=["sync", "approve", run])
    assert refused.exit_code == 2 and "利用者だけです" in refused.output
    assert "2人目の承認を" in runner.invoke(args=["sync", "show", run]).output
    args = ["sync", "approve-alone", run, "--admin", "view@example.invalid", "--reason", "給与の振込が今日のため"]
    assert "有効な管理者だけ" in runner.invoke(args=args).output
    office.house.work()
    assert office.account() == before
    args[4] = "aoki@example.invalid"
    assert runner.invoke(args=args).exit_code == 0
    office.house.work()
    assert office.account() == "9000001"
    shown = runner.invoke(args=["connection", "set-two-persons", KEY, "accounts_and_income", "--hours", "12"])
    assert "口座と標準報酬月額(承認を12時間待つ)" in shown.output
    runner.invoke(args=["user", "set-role", "baba@example.invalid", "viewer"])
    runner.invoke(args=["user", "set-role", "chiba@example.invalid", "viewer"])
    checked = runner.invoke(args=["connection", "check", KEY])
    assert checked.exit_code == 1 and "承認できる利用者が1人です" in checked.output
    assert json.loads(runner.invoke(args=["sync", "show", run, "--json"]).output)["decide_until"]
