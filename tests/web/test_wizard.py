"""The wizard from an empty list to a checked connection, each step well and badly, over real HTTP on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.domain.errors import Refused
from app.domain.settings.connection_settings import Automatic, PayType
from app.practice.staff.practice_company import FREEE_COMPANY_ID, FREEE_EXTERNAL_CID, SMARTHR_TOKEN, SUBDOMAIN
from app.storage.enums import WebhookState
from app.storage.tables.access_models import WizardTable
from app.use_cases.upkeep.bounds import keep_bounds
from tests.web.wizard_house import EXPORT, GOOD, Wizarding, wizard_house

pytestmark = pytest.mark.reach("test")  # long journeys

READABLE = "両方の向きにそろえます。"
HIDDEN = "トークンに見えないため、どちらの向きにも反映しません。空欄でも上書きしません。"
UNSURE = "まだ誰にも値がないか、トークンに見えていません。SmartHR が空欄のときは、どちらも上書きしません。"


@pytest.fixture
def wizarding(tmp_path: Path) -> Iterator[Wizarding]:
    with wizard_house(tmp_path) as made:
        yield made


def connections(wizarding: Wizarding) -> list[Any]:
    with wizarding.house.ctx.unit_of_work() as uow:
        return uow.connections.list_all()


def setups(wizarding: Wizarding) -> list[Any]:
    with wizarding.house.ctx.unit_of_work() as uow:
        return uow.wizards.all()


# ── the whole way ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_from_an_empty_list_to_the_first_preview(wizarding: Wizarding) -> None:
    admin = wizarding.admin
    admin.open("/connections")
    assert "接続はまだありません" in admin.words and 'href="/connections/new"' in admin.text
    assert f"{SUBDOMAIN}.smarthr.jp の従業員" in wizarding.begin()
    key = wizarding.key
    admin.open(f"/connections/new/{key}/freee")
    company = wizarding.to_freee()
    assert f"事業所名 練習商事株式会社 事業所番号 {FREEE_EXTERNAL_CID} 事業所 ID {FREEE_COMPANY_ID}" in company
    assert connections(wizarding) == []
    admin.send("/company", press=("answer", "confirm"))
    admin.send("/export", press=("answer", "save"), **EXPORT)
    assert "自動同期はオフのままです" in admin.words
    admin.send("/webhook", press=("answer", "register"))
    assert "SmartHR に登録しました" in admin.words
    admin.send("/webhook", press=("answer", "check"))
    assert "SmartHR の登録: 正常" in admin.words
    admin.open(f"/connections/new/{key}/done")
    assert admin.words.count("接続できます") == 2
    for direction in Direction:
        assert f'href="/sync/{key}/{direction.value}"' in admin.text
    admin.send("/end")
    assert admin.page is not None and admin.page.request.path == f"/connections/{key}"
    (made,) = connections(wizarding)
    assert (made.key, made.name, made.smarthr_subdomain) == (key, "合わせ商事", SUBDOMAIN)
    assert made.mail_to == ("jinji@example.com", "somu@example.com")
    assert made.automatic is Automatic.OFF and not made.paused and not made.needs_consent
    assert (made.export_settings.pay_type, made.export_settings.base_pay) == (PayType.MONTHLY, 230_000)
    assert setups(wizarding) == []
    with wizarding.house.ctx.unit_of_work() as uow:
        webhook = uow.webhook_registrations.get(made.id)
    assert webhook is not None and webhook.state is WebhookState.OK
    told = [(each.action, each.actor) for each in reversed(wizarding.audited()) if each.subject == f"connection:{key}"]
    assert [action for action, _ in told] == [
        *("setup_begun", "consent_begun", "consent_given", "connection_added", "export_settings_changed"),
        *("webhook_registered", "setup_ended"),
    ]
    assert {actor for _, actor in told} == {"user:1"}


def test_each_recipient_gets_mails_in_the_language_chosen_in_the_first_step(wizarding: Wizarding) -> None:
    assert "結果メールの宛先（英語で届ける人）" in wizarding.begin(mail_english="nobody")
    assert "メールアドレスの形" in wizarding.admin.words and setups(wizarding) == []
    assert "nobody" in wizarding.admin.text, "what was typed is still there"
    key = wizarding.connected(mail_english="anna@example.com\nsomu@example.com")
    (made,) = connections(wizarding)
    assert made.key == key and set(made.mail_english) == {"anna@example.com", "somu@example.com"}
    assert set(made.mail_to) - set(made.mail_english) == {"jinji@example.com"}


def test_a_run_with_what_the_wizard_made_writes_with_its_tokens(wizarding: Wizarding) -> None:
    key = wizarding.connected()
    run = wizarding.house.start(Direction.FREEE_TO_SMARTHR, connection_key=key, dry_run=True)
    wizarding.house.work()
    assert wizarding.house.seen(run).counts


def test_no_run_before_the_company_is_confirmed(wizarding: Wizarding) -> None:
    wizarding.begin()
    key = wizarding.key
    wizarding.admin.open(f"/connections/new/{key}/freee")
    wizarding.to_freee()
    with pytest.raises(Refused) as caught:
        wizarding.house.start(Direction.FREEE_TO_SMARTHR, connection_key=key)
    assert caught.value.code == "unknown_connection"
    for step in ("export", "webhook", "done"):
        wizarding.admin.open(f"/connections/new/{key}/{step}")
        assert wizarding.admin.page is not None and wizarding.admin.page.request.path.endswith("/freee")
    assert wizarding.house.writes() == 0


# ── SmartHR ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("changes", "switches", "fault", "field", "told"),
    [
        ({"smarthr_subdomain": "yoso"}, {}, {}, "smarthr_subdomain", "このサブドメインの SmartHR は見つかりません"),
        ({"smarthr_token": "wrong"}, {}, {}, "smarthr_token", "アクセストークンが正しくないか"),
        ({}, {"token_revoked": True}, {}, "smarthr_token", "アクセストークンが正しくないか"),
        ({}, {"forbidden": ["crews"]}, {}, "smarthr_token", "このトークンでは従業員情報を読めません"),
        ({}, {"ip_not_permitted": True}, {}, "smarthr_token", "アクセス制限ルール"),
        ({}, {"maintenance": True}, {}, "smarthr_subdomain", "メンテナンス中"),
        (
            {},
            {},
            {"status": 403, "body": {"code": 7, "type": "plan_limit_exceeded", "message": "x", "errors": None}},
            "smarthr_token",
            "契約プランでは、このトークンで API を使えません",
        ),
        ({}, {}, {"status": 500}, "smarthr_subdomain", "正しい応答がありません"),
        ({}, {}, {"cut": "silent"}, "smarthr_subdomain", "SmartHR に接続できません"),
        ({}, {}, {"garbage": True}, "smarthr_subdomain", "正しい応答がありません"),
    ],
)
def test_a_smarthr_that_cannot_be_used_is_told_at_the_field_and_nothing_is_kept(
    wizarding: Wizarding,
    changes: dict[str, str],
    switches: dict[str, Any],
    fault: dict[str, Any],
    field: str,
    told: str,
) -> None:
    wizarding.house.smarthr_injector.set_switches(switches)
    if fault:
        wizarding.house.smarthr_injector.fault(path="/crews", **fault)
    with capture_logs() as logs:
        wizarding.begin(**changes)
    page = wizarding.admin
    assert page.page is not None and page.page.status_code in (422, 503)
    assert f'id="{field}-fault">{told}' in page.text or told in page.text.split(f'id="{field}-fault">')[1][:120]
    assert page.text.count('class="fault"') == 1
    assert setups(wizarding) == [] and "setup_begun" not in wizarding.stored()
    assert 'value="合わせ商事"' in page.text  # what was typed is kept on the page, the token is not
    assert SMARTHR_TOKEN not in page.text and SMARTHR_TOKEN not in repr(logs)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "  ", "名前を100文字以内で"),
        ("name", "あ" * 101, "名前を100文字以内で"),
        ("smarthr_subdomain", "https://x.smarthr.jp", "半角英小文字"),
        ("smarthr_subdomain", "evil.example/", "半角英小文字"),
        ("smarthr_token", "", "アクセストークンを入力"),
        ("smarthr_token", "全角", "アクセストークンを入力"),
        ("mail_to", "nobody", "メールアドレスの形"),
    ],
)
def test_what_is_typed_wrong_never_reaches_smarthr(wizarding: Wizarding, field: str, value: str, told: str) -> None:
    assert told in wizarding.begin(**{field: value})
    assert wizarding.house.smarthr_injector.requests == [] and setups(wizarding) == []


@pytest.mark.parametrize(("how", "reading", "told"), [("absent", "読めない", HIDDEN), ("null", "不明", UNSURE)])
def test_every_item_is_shown_with_what_follows(wizarding: Wizarding, how: str, reading: str, told: str) -> None:
    hidden = {"hidden_attributes": ["tel_number", "bank_accounts"], "hidden_attribute": how}
    wizarding.house.smarthr_injector.set_switches(hidden)
    wizarding.begin()
    rows = wizarding.admin.words.split("項目 読み取り 書き込み どうなるか ")[1]
    assert f"電話番号 {reading} {'書かない' if how == 'absent' else '不明'} {told}" in rows
    assert rows.count(told) == 6  # the phone, and five items of the account
    assert rows.count(READABLE) == 34 - 6
    assert "社員番号 読める 不明" in rows


def test_what_the_token_showed_goes_with_the_connection(wizarding: Wizarding) -> None:
    wizarding.house.smarthr_injector.set_switches({"hidden_attributes": ["tel_number"], "hidden_attribute": "absent"})
    wizarding.connected()
    (made,) = connections(wizarding)
    assert "birth_at" in made.readable_attributes and "tel_number" not in made.readable_attributes
    assert made.missing_attributes == {"tel_number"}
    assert made.employment_types == {"正社員", "アルバイト・パート", "役員"}
    assert made.attributes_checked_at == wizarding.house.clock.now()


# ── freee ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def at_freee(wizarding: Wizarding) -> str:
    wizarding.begin()
    key = wizarding.key
    wizarding.admin.open(f"/connections/new/{key}/freee")
    return key


def test_a_wrong_company_is_refused_and_another_can_be_chosen(wizarding: Wizarding) -> None:
    key = at_freee(wizarding)
    wizarding.to_freee()
    wizarding.admin.send("/company", press=("answer", "reject"))
    assert "認可は破棄しました" in wizarding.admin.words and "freee のサインイン画面へ" in wizarding.admin.words
    (setup,) = setups(wizarding)
    assert setup.freee_company_id is None
    with wizarding.house.ctx.unit_of_work() as uow:
        assert uow.wizards.freee_tokens(setup.id) is None
    assert connections(wizarding) == []
    assert "間違いありませんか" in wizarding.to_freee()
    wizarding.admin.send("/company", press=("answer", "confirm"))
    assert [each.key for each in connections(wizarding)] == [key]


def test_only_the_company_that_was_shown_can_be_confirmed(wizarding: Wizarding) -> None:
    at_freee(wizarding)
    wizarding.to_freee()
    wizarding.admin.send("/company", press=("answer", "confirm"), company="7654321")
    assert "表示していた事業所と違います" in wizarding.admin.words and connections(wizarding) == []


def test_nothing_to_confirm_without_a_consent(wizarding: Wizarding) -> None:
    key = at_freee(wizarding)
    data = {"csrf_token": wizarding.admin.token, "answer": "confirm", "company": str(FREEE_COMPANY_ID)}
    wizarding.admin.client.post(f"/connections/new/{key}/company", data=data)
    assert connections(wizarding) == []


def test_a_denial_leads_back_and_says_so(wizarding: Wizarding) -> None:
    at_freee(wizarding)
    assert "連携が許可されませんでした" in wizarding.to_freee(deny="1")
    assert "freee のサインイン画面へ" in wizarding.admin.words
    assert "間違いありませんか" in wizarding.to_freee()


def test_who_is_no_administrator_of_the_company_connects_nothing(wizarding: Wizarding) -> None:
    wizarding.house.freee_injector.set_switches({"role": "self_only"})
    at_freee(wizarding)
    assert "管理者ではありません" in wizarding.to_freee()
    assert setups(wizarding)[0].freee_company_id is None


def test_an_answer_of_freee_counts_once_and_only_in_time(wizarding: Wizarding) -> None:
    key = at_freee(wizarding)
    wizarding.to_freee()
    wizarding.admin.send("/company", press=("answer", "reject"))
    form = wizarding.admin.form("/freee")
    address = wizarding.admin.client.post(form.action, data=dict(form.fields)).headers["Location"]
    state = address.split("state=")[1].split("&")[0]
    wizarding.house.clock.turn(minutes=31)
    late = wizarding.admin.client.get("/connect/freee/callback", query_string={"state": state, "code": "x"})
    again = wizarding.admin.client.get("/connect/freee/callback", query_string={"state": state, "code": "x"})
    assert (late.status_code, again.status_code) == (409, 409)
    wizarding.admin.open(f"/connections/new/{key}/freee")
    assert "freee のサインイン画面へ" in wizarding.admin.words


def test_the_same_two_are_not_connected_twice(wizarding: Wizarding) -> None:
    wizarding.connected()
    at_freee(wizarding)
    wizarding.to_freee()
    wizarding.admin.send("/company", press=("answer", "confirm"))
    assert "すでに接続されています" in wizarding.admin.words and len(connections(wizarding)) == 1


def test_without_freees_application_nobody_is_sent_there(tmp_path: Path) -> None:
    with wizard_house(tmp_path, FREEE_CLIENT_SECRET="") as wizarding:
        at_freee(wizarding)
        wizarding.admin.send("/freee")
        assert "FREEE_CLIENT_SECRET" in wizarding.admin.words


# ── leaving and coming back ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_begun_is_listed_and_gone_on_with(wizarding: Wizarding) -> None:
    wizarding.begin()
    key = wizarding.key
    colleague = wizarding.app.test_client()
    wizarding.admin.open("/connections")
    assert "設定が途中" in wizarding.admin.words
    wizarding.admin.open(f"/connections/new/{key}")
    assert "freee のサインイン画面へ" in wizarding.admin.words
    assert colleague.get(f"/connections/new/{key}").headers["Location"].startswith("/sign-in")
    wizarding.to_freee()
    wizarding.admin.send("/company", press=("answer", "confirm"))
    wizarding.admin.open("/connections")
    assert "最初の設定が途中です" in wizarding.admin.words and f"/connections/new/{key}" in wizarding.admin.text


def test_what_is_given_up_is_forgotten_with_its_token(wizarding: Wizarding) -> None:
    at_freee(wizarding)
    wizarding.admin.send("/end", confirmed="yes")
    assert "取りやめ" in wizarding.admin.words
    with wizarding.house.database.engine.connect() as connection:
        assert connection.execute(select(WizardTable)).all() == []
    assert "setup_dropped" in wizarding.stored()


def test_credentials_are_in_one_place_once_there_is_a_connection(wizarding: Wizarding) -> None:
    wizarding.connected()
    (setup,) = setups(wizarding)
    with wizarding.house.ctx.unit_of_work() as uow:
        assert uow.wizards.smarthr_token(setup.id) == "" and uow.wizards.freee_tokens(setup.id) is None
        assert uow.connections.smarthr_token(setup.connection_id) == SMARTHR_TOKEN


def test_a_setup_that_nobody_ends_is_forgotten_after_a_month(wizarding: Wizarding) -> None:
    wizarding.begin()
    house = wizarding.house
    house.clock.turn(days=29)
    assert "setups" not in keep_bounds(house.ctx)
    house.clock.turn(days=2)
    assert keep_bounds(house.ctx)["setups"] == 1


# ── export settings, webhooks ─────────────────────────────────────────────────────────────────────────────────────────


def test_export_settings_may_wait_and_what_follows_is_said(wizarding: Wizarding) -> None:
    key = wizarding.connected()
    wizarding.admin.open(f"/connections/new/{key}/export")
    assert "freee人事労務からSmartHRへの同期だけを実行できます" in wizarding.admin.words
    wizarding.admin.open(f"/connections/new/{key}/done")
    assert f'href="/sync/{key}/smarthr_to_freee"' not in wizarding.admin.text
    assert f'href="/sync/{key}/freee_to_smarthr"' in wizarding.admin.text


def test_wrong_export_settings_are_told_and_a_set_of_an_employment_type_is_kept(wizarding: Wizarding) -> None:
    wizarding.connected()
    wizarding.admin.send("/export", press=("answer", "save"), **{**EXPORT, "base_pay": "1.5"})
    assert "基本給は0から99,999,999まで" in wizarding.admin.words and 'value="固定時間制"' in wizarding.admin.text
    assert connections(wizarding)[0].export_settings is None
    wizarding.admin.send("/export", press=("answer", "more"), **EXPORT)
    assert "雇用形態ごとの設定 1" in wizarding.admin.words and 'value="固定時間制"' in wizarding.admin.text
    part_time = {
        "set-0-employment_type": "アルバイト・パート",
        "set-0-working_hours_system_name": "フレックスタイム",
        "set-0-pay_schedule_name": "アルバイト",
        "set-0-pay_type": "hourly",
        "set-0-base_pay": "1200",
    }
    wizarding.admin.send("/export", press=("answer", "save"), **EXPORT, **part_time)
    (made,) = connections(wizarding)
    assert made.export_settings_by_type["アルバイト・パート"].pay_schedule_name == "アルバイト"
    wizarding.admin.open(f"/connections/new/{made.key}/export")
    assert "この勤務・賃金設定では、選ばれた給与方式を使えません" in wizarding.admin.words  # a warning, not a refusal


def test_a_webhook_that_smarthr_does_not_take_is_told(wizarding: Wizarding) -> None:
    key = wizarding.connected()
    wizarding.house.smarthr_injector.set_switches({"forbidden": ["webhooks"]})
    wizarding.admin.open(f"/connections/new/{key}/webhook")
    wizarding.admin.send("/webhook", press=("answer", "register"))
    assert "この操作の権限がありません" in wizarding.admin.words
    assert "webhook_registered" not in wizarding.stored()


# ── who may ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_administrators_set_up(wizarding: Wizarding) -> None:
    key = wizarding.connected()
    pages = ("/connections", "/connections/new", f"/connections/new/{key}/export", f"/connections/{key}")
    for role in (Role.MEMBER, Role.VIEWER, Role.OPS):
        person = wizarding.visit(role)
        for page in pages:
            person.open(page, status=403)
        token = person.token
        for page in (*pages[1:2], f"/connections/new/{key}/end", f"/connections/{key}/pause"):
            data = {"csrf_token": token, "answer": "pause"}
            assert person.client.post(page, data=data).status_code == 403, (role, page)
    assert len(setups(wizarding)) == 1 and not connections(wizarding)[0].paused


def test_a_form_of_another_site_does_nothing(wizarding: Wizarding) -> None:
    wizarding.begin()
    key = wizarding.key
    for page in ("", f"/{key}/freee", f"/{key}/company", f"/{key}/export", f"/{key}/webhook", f"/{key}/end"):
        assert wizarding.admin.client.post(f"/connections/new{page}", data=GOOD).status_code == 400
    assert len(setups(wizarding)) == 1


def test_tokens_are_never_shown_logged_or_audited(wizarding: Wizarding) -> None:
    with capture_logs() as logs:
        key = wizarding.connected()
        pages = [
            wizarding.admin.open(address)
            for address in ("/connections", f"/connections/{key}", f"/connections/new/{key}/smarthr")
        ]
    with wizarding.house.ctx.unit_of_work() as uow:
        made = uow.connections.get_by_key(key)
        assert made is not None
        freee = uow.connections.freee_tokens(made.id)
    assert freee is not None
    everything = repr(logs) + wizarding.stored() + "".join(pages)
    for secret in (SMARTHR_TOKEN, freee.access_token, freee.refresh_token):
        assert secret not in everything


def test_in_english(wizarding: Wizarding) -> None:
    with wizarding.house.ctx.unit_of_work() as uow:
        uow.users.change(1, locale="en")
    told = wizarding.begin(smarthr_token="wrong", mail_to="")
    assert "The access token is wrong or has been revoked" in told and "Check SmartHR and continue" in told
    assert "A subdomain consists of lower-case letters" in wizarding.begin(smarthr_subdomain="X")
    assert "Kept equal in both directions." in wizarding.begin()
