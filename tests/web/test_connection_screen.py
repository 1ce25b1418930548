"""The list of connections and the settings page: every section well and badly, with its audit entry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.domain.settings.connection_settings import Automatic, BlankPolicy, ConflictPolicy, Connection, MailPolicy
from app.practice.staff.practice_company import SMARTHR_TOKEN
from app.storage.enums import WebhookState
from tests.house import KEY
from tests.web.wizard_house import EXPORT, Wizarding, wizard_house

pytestmark = pytest.mark.reach("test")  # long journeys

PAGE = f"/connections/{KEY}"


@pytest.fixture
def wizarding(tmp_path: Path) -> Iterator[Wizarding]:
    with wizard_house(tmp_path, connected=True) as made:
        made.admin.open(PAGE)
        yield made


def kept(wizarding: Wizarding) -> Connection:
    return wizarding.house.connection


def send(wizarding: Wizarding, section: str, **fields: Any) -> str:
    wizarding.admin.open(PAGE)
    wizarding.admin.send(f"{PAGE}/{section}", **fields)
    return wizarding.admin.words


def actions(wizarding: Wizarding) -> list[str]:
    return [each.action for each in wizarding.audited() if each.subject == f"connection:{KEY}"]


# ── the list ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_list_tells_how_each_connection_stands(wizarding: Wizarding) -> None:
    admin, house = wizarding.admin, wizarding.house
    admin.open("/connections")
    assert "練習用の会社 つながっています" in admin.words and admin.words.count("まだ成功した同期はありません") == 2
    assert "自動同期 オフ" in admin.words and "変更の通知（Webhook） 未登録" in admin.words
    connection = house.connection
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_options(replace(connection, automatic=Automatic.BOTH))
        uow.connections.set_paused(connection.id, True)
    admin.open("/connections")
    assert "一時停止中" in admin.words and "自動同期 双方向" in admin.words
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_needs_consent(connection.id, True)
    admin.open("/connections")
    assert "freee の認可が必要" in admin.words and f"{PAGE}#freee" in admin.text


def test_only_a_run_without_failure_counts_as_the_last_success(wizarding: Wizarding) -> None:
    house = wizarding.house
    number = next(crew["emp_code"] for crew in house.smarthr.crews if crew["last_name"] and crew["entered_at"])
    run = house.run(Direction.FREEE_TO_SMARTHR, dry_run=True)
    assert house.seen(run).finished_at is None
    wizarding.admin.open("/connections")
    assert wizarding.admin.words.count("まだ成功した同期はありません") == 2
    done = house.run(Direction.SMARTHR_TO_FREEE, employees=(number,))
    assert done.state.value == "succeeded", (done.state, done.counts)
    wizarding.admin.open("/connections")
    assert wizarding.admin.words.count("まだ成功した同期はありません") == 1
    assert "SmartHRからfreee人事労務へ 最後の成功" in wizarding.admin.words


# ── names, token, freee ───────────────────────────────────────────────────────────────────────────────────────────────


def test_name_and_recipients(wizarding: Wizarding) -> None:
    assert "保存しました" in send(wizarding, "names", name=" 合わせ ", mail_to="a@example.com, b@example.com\n")
    assert (kept(wizarding).name, kept(wizarding).mail_to) == ("合わせ", ("a@example.com", "b@example.com"))
    assert actions(wizarding) == ["connection_renamed"]
    told = send(wizarding, "names", name="合わせ", mail_to="a@example.com\nBcc:x")
    assert "メールアドレスの形が正しくありません" in told and "変わっていません" in told
    assert "Bcc:x</textarea>" in wizarding.admin.text
    assert kept(wizarding).mail_to == ("a@example.com", "b@example.com") and len(actions(wizarding)) == 1
    assert "a@example.com" not in wizarding.stored()


def test_who_reads_english_is_chosen_beside_those_who_read_japanese(wizarding: Wizarding) -> None:
    send(wizarding, "names", name="合わせ", mail_to="a@example.com", mail_english="b@example.com\nc@example.com")
    assert [(each.address, each.language.value) for each in kept(wizarding).recipients] == [
        ("a@example.com", "ja"),
        ("b@example.com", "en"),
        ("c@example.com", "en"),
    ]
    wizarding.admin.open(PAGE)
    shown = {name: _area(wizarding.admin.text, name) for name in ("mail_to", "mail_english")}
    assert shown == {"mail_to": "a@example.com", "mail_english": "b@example.com\nc@example.com"}
    assert "b@example.com" not in wizarding.stored()
    told = send(wizarding, "names", name="合わせ", mail_to="a@example.com", mail_english="nobody")
    assert "メールアドレスの形が正しくありません" in told
    assert _area(wizarding.admin.text, "mail_english") == "nobody"
    send(wizarding, "names", name="合わせ", mail_to="b@example.com", mail_english="")
    assert [(each.address, each.language.value) for each in kept(wizarding).recipients] == [("b@example.com", "ja")]


def _area(page: str, name: str) -> str:
    """What stands in a text field of several lines."""
    found = re.search(rf'<textarea id="{name}"[^>]*>([^<]*)</textarea>', page)
    assert found is not None
    return found[1]


def test_a_token_replaces_the_other_only_when_smarthr_takes_it(wizarding: Wizarding) -> None:
    connection_id = kept(wizarding).id
    told = send(wizarding, "token", smarthr_token="wrong-token")
    assert "アクセストークンが正しくないか" in told and "wrong-token" not in wizarding.admin.text
    assert wizarding.house.ctx.tokens.smarthr_token(connection_id) == SMARTHR_TOKEN and actions(wizarding) == []
    with wizarding.house.ctx.unit_of_work() as uow:
        uow.connections.set_smarthr_token(connection_id, "the-former-token")
    with capture_logs() as logs:
        assert "入れ替えました" in send(wizarding, "token", smarthr_token=f" {SMARTHR_TOKEN} ")
    assert wizarding.house.ctx.tokens.smarthr_token(connection_id) == SMARTHR_TOKEN
    assert "tel_number" in kept(wizarding).readable_attributes
    assert actions(wizarding) == ["smarthr_token_replaced"]
    assert SMARTHR_TOKEN not in repr(logs) + wizarding.stored() + wizarding.admin.text


def test_readable_items_are_looked_at_again(wizarding: Wizarding) -> None:
    assert "まだ確認していません" in wizarding.admin.words
    wizarding.house.smarthr_injector.set_switches({"hidden_attributes": ["birth_at"], "hidden_attribute": "absent"})
    assert "読める項目を確認しました" in send(wizarding, "attributes")
    assert kept(wizarding).missing_attributes == {"birth_at"}
    assert "生年月日 読めない 書かない" in wizarding.admin.words
    wizarding.house.smarthr_injector.set_switches({"token_revoked": True})
    assert "アクセストークンが正しくないか" in send(wizarding, "attributes")
    assert kept(wizarding).missing_attributes == {"birth_at"}


def test_what_a_run_has_written_to_smarthr_is_proof(wizarding: Wizarding) -> None:
    house = wizarding.house
    send(wizarding, "attributes")
    assert "書ける" not in wizarding.admin.words
    run = house.run(Direction.FREEE_TO_SMARTHR)
    connection_id = house.connection.id
    with house.ctx.unit_of_work() as uow:
        written = uow.connection_facts.written_to_smarthr(connection_id)
    assert written, house.seen(run).counts
    wizarding.admin.open(PAGE)
    assert wizarding.admin.words.count("読める 書ける 両方の向きにそろえます。") == len(written)


def test_freee_is_authorised_again_and_leads_back_here(wizarding: Wizarding) -> None:
    connection_id = kept(wizarding).id
    with wizarding.house.ctx.unit_of_work() as uow:
        uow.connections.set_needs_consent(connection_id, True)
    wizarding.admin.open(PAGE)
    assert "freee の認可が切れています" in wizarding.admin.words
    assert "許可されませんでした" in wizarding.to_freee(action=f"{PAGE}/freee", deny="1")
    assert kept(wizarding).needs_consent
    assert "freee の認可を更新しました（練習商事株式会社）" in wizarding.to_freee(action=f"{PAGE}/freee")
    assert not kept(wizarding).needs_consent and "つながっています" in wizarding.admin.words


def test_another_company_is_not_taken_for_a_connection_that_has_one(wizarding: Wizarding) -> None:
    former = wizarding.house.ctx.tokens.freee_tokens(kept(wizarding).id)
    with wizarding.house.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE connections SET freee_company_id = 42")
    wizarding.admin.open(PAGE)
    assert "ではありません" in wizarding.to_freee(action=f"{PAGE}/freee")
    assert wizarding.house.ctx.tokens.freee_tokens(kept(wizarding).id) == former


# ── export settings ───────────────────────────────────────────────────────────────────────────────────────────────────


def one_more(number: int, **values: str) -> dict[str, str]:
    given = {**EXPORT, "employment_type": "アルバイト・パート", **values}
    return {f"set-{number}-{name}": value for name, value in given.items()}


def test_export_settings_by_employment_type(wizarding: Wizarding) -> None:
    wizarding.admin.open(PAGE)
    wizarding.admin.send(
        f"{PAGE}/export", press=("answer", "save"), **EXPORT, **one_more(0, pay_schedule_name="アルバイト")
    )
    assert kept(wizarding).export_settings_by_type["アルバイト・パート"].pay_schedule_name == "アルバイト"
    assert 'value="アルバイト・パート"' in wizarding.admin.text
    assert actions(wizarding) == ["export_settings_changed"]
    emptied = dict.fromkeys(one_more(0), "") | {"set-0-pay_type": "monthly"}
    wizarding.admin.send(f"{PAGE}/export", press=("answer", "save"), **emptied)
    assert kept(wizarding).export_settings_by_type == {}


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"base_pay": "-1"}, "基本給は0から"),
        (one_more(0, pay_schedule_name="あ" * 16), "締め日支払い日グループ名は15文字以内"),
        (one_more(0, employment_type=""), "雇用形態を入力してください"),
        ({**one_more(0), **one_more(1)}, "雇用形態が重複しています"),
    ],
)
def test_wrong_export_settings_leave_what_was_stored(wizarding: Wizarding, fields: dict[str, str], told: str) -> None:
    before = kept(wizarding)
    wizarding.admin.send(f"{PAGE}/export", press=("answer", "save"), **{**EXPORT, "base_pay": "1", **fields})
    assert told in wizarding.admin.words and kept(wizarding) == before and actions(wizarding) == []


def test_a_new_employee_gets_the_set_of_their_employment_type(wizarding: Wizarding) -> None:
    house = wizarding.house
    wizarding.admin.send(
        f"{PAGE}/export",
        press=("answer", "save"),
        **{**EXPORT, "pay_schedule_name": "正社員"},
        **one_more(0, pay_schedule_name="アルバイト", pay_type="hourly", base_pay="1200"),
    )
    template = next(crew for crew in house.company.crews if crew["emp_code"] and not crew.get("resigned_at"))
    kinds = {each["name"]: each["id"] for each in house.company.employment_types}
    for number, kind in (("8801", "アルバイト・パート"), ("8802", "正社員")):
        made = {k: v for k, v in template.items() if k not in ("id", "bank_accounts")}
        person = {"emp_code": number, "first_name_yomi": "ヌ" * int(number[-1]), "birth_at": f"1990-01-0{number[-1]}"}
        house.smarthr.add({**made, **person, "employment_type_id": kinds[kind]})
    house.run(Direction.SMARTHR_TO_FREEE, employees=("8801", "8802"))
    groups = {}
    for number in ("8801", "8802"):
        (found,) = house.freee.ids_by_num(number)
        groups[number] = house.freee.employee(found)["company_reference_date_rule_name"]
    assert groups == {"8801": "アルバイト", "8802": "正社員"}


# ── automatic sync ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_automatic_sync(wizarding: Wizarding) -> None:
    told = send(
        wizarding,
        "automatic",
        directions="both",
        policy="freee_wins",
        mail="failures",
        quiet_seconds="30",
        sweep_minutes="120",
        **{"policy-bank": "hold", "policy-phone": "smarthr_wins"},
    )
    assert "保存しました" in told and "SmartHR からの通知が届かないため" in told
    now = kept(wizarding)
    assert (now.automatic, now.conflict_policy, now.mail_policy) == (
        *(Automatic.BOTH, ConflictPolicy.FREEE_WINS, MailPolicy.FAILURES),
    )
    assert (now.quiet_seconds, now.sweep_minutes) == (30, 120)
    assert now.conflict_policies == {"bank": ConflictPolicy.HOLD, "phone": ConflictPolicy.SMARTHR_WINS}
    assert "保存しました" in send(wizarding, "automatic", quiet_seconds="", **{"policy-phone": ""})
    assert kept(wizarding).quiet_seconds is None and set(kept(wizarding).conflict_policies) == {"bank"}
    assert actions(wizarding) == ["automatic_changed"] * 2


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"quiet_seconds": "601"}, "0から600まで"),
        ({"sweep_minutes": "x"}, "5から1440まで"),
        ({"directions": "sideways"}, "どれかを指定してください"),
        ({"policy-phone": "source_wins"}, "変わっていません"),
    ],
)
def test_a_wrong_automatic_setting_changes_nothing(wizarding: Wizarding, fields: dict[str, str], told: str) -> None:
    before = kept(wizarding)
    assert told in send(wizarding, "automatic", **{"directions": "freee_to_smarthr", **fields})
    assert kept(wizarding) == before and actions(wizarding) == []


def test_syncing_to_freee_by_itself_needs_export_settings(wizarding: Wizarding) -> None:
    connection_id = kept(wizarding).id
    with wizarding.house.ctx.unit_of_work() as uow:
        uow.connections.set_export_settings(connection_id, None)
    told = send(wizarding, "automatic", directions="both")
    assert "先にエクスポート設定を登録してください" in told and "flask" not in told
    assert kept(wizarding).automatic is Automatic.OFF


# ── items ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_items_left_out_and_what_a_blank_does(wizarding: Wizarding) -> None:
    fields = dict(wizarding.admin.form(f"{PAGE}/items").fields)
    exchanged = [v for n, v in wizarding.admin.form(f"{PAGE}/items").fields if n == "exchanged"]
    assert "bank" in exchanged and fields["blank-phone"] == "erase_if_agreed"
    left = [item for item in exchanged if item not in ("phone", "bank")]
    send(wizarding, "items", exchanged=left, include_building=None, create_positions="on", **{"blank-title": "erase"})
    now = kept(wizarding)
    assert now.excluded == {
        *("phone", "bank_code", "bank_branch_code", "bank_account_type", "bank_account_number", "bank_account_holder"),
    }
    assert now.blank_policies == {"title": BlankPolicy.ERASE}  # what is as usual is not kept as a choice
    assert (now.include_building, now.create_positions) == (False, True)
    assert "外している項目 6" in wizarding.admin.words and actions(wizarding) == ["items_changed"]


@pytest.mark.parametrize("fields", [{"blank-phone": "burn"}, {"blank-hired_on": "x"}])
def test_wrong_items_change_nothing(wizarding: Wizarding, fields: dict[str, str]) -> None:
    before = kept(wizarding)
    assert "空欄の扱いを一覧から" in send(wizarding, "items", **fields)
    assert kept(wizarding) == before


# ── webhook, pause, check ─────────────────────────────────────────────────────────────────────────────────────────────


def webhook(wizarding: Wizarding) -> Any:
    connection_id = kept(wizarding).id
    with wizarding.house.ctx.unit_of_work() as uow:
        return uow.webhook_registrations.get(connection_id)


def test_the_webhook_is_registered_checked_repaired_and_its_secret_replaced(wizarding: Wizarding) -> None:
    def press(answer: str) -> str:
        return send(wizarding, "webhook", press=("answer", answer))

    assert "SmartHR に登録しました" in press("register")
    first = webhook(wizarding).secret
    assert "前の値は" in press("rotate")
    assert webhook(wizarding).secret != first
    assert webhook(wizarding).secret not in wizarding.admin.text + wizarding.stored()
    wizarding.house.smarthr.state.webhooks.clear()
    assert "SmartHR の登録: 見つかりません" in press("check")
    assert webhook(wizarding).state is WebhookState.MISSING
    assert "SmartHR に登録しました" in press("register")
    assert webhook(wizarding).state is WebhookState.OK
    assert actions(wizarding) == ["webhook_registered", "webhook_secret_rotated", "webhook_registered"]


def test_a_smarthr_that_is_away_is_told_in_the_section(wizarding: Wizarding) -> None:
    wizarding.house.smarthr_injector.set_switches({"maintenance": True})
    told = send(wizarding, "webhook", press=("answer", "register"))
    assert "メンテナンス中です" in told and wizarding.admin.page is not None
    assert wizarding.admin.page.status_code == 503 and actions(wizarding) == []


def test_a_lost_answer_is_told_without_the_command_line(wizarding: Wizarding) -> None:
    wizarding.house.smarthr_injector.fault(path="/webhooks", method="POST", cut="silent")
    told = send(wizarding, "webhook", press=("answer", "register"))
    assert "結果が分かりません" in told and "flask" not in told


def test_pause_and_resume(wizarding: Wizarding) -> None:
    assert "一時停止しました" in send(wizarding, "pause", press=("answer", "pause"), confirmed="yes")
    assert kept(wizarding).paused
    assert "再開しました" in send(wizarding, "pause", press=("answer", "resume"))
    assert not kept(wizarding).paused
    assert actions(wizarding) == ["connection_resumed", "connection_paused"]


def test_both_sides_are_checked_and_told_apart(wizarding: Wizarding) -> None:
    assert "SmartHR に接続できました。 freee人事労務 に接続できました。" in send(wizarding, "check")
    wizarding.house.smarthr_injector.set_switches({"token_revoked": True})
    told = send(wizarding, "check")
    assert "SmartHR に接続できません。" in told and "freee人事労務 に接続できました。" in told


# ── guards ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_unknown_connections_and_sections(wizarding: Wizarding) -> None:
    token = wizarding.admin.token
    wizarding.admin.open("/connections/nobody", status=404)
    for address in ("/connections/nobody/pause", f"{PAGE}/nothing"):
        assert wizarding.admin.client.post(address, data={"csrf_token": token}).status_code == 404


def test_others_change_nothing(wizarding: Wizarding) -> None:
    before = kept(wizarding)
    for role in (Role.MEMBER, Role.VIEWER, Role.OPS):
        person = wizarding.visit(role)
        person.open(PAGE, status=403)
        token = person.token
        for section in ("names", "token", "freee", "export", "automatic", "items", "webhook", "pause", "check"):
            answer = person.client.post(f"{PAGE}/{section}", data={"csrf_token": token, "name": "x"})
            assert answer.status_code == 403
    for section in ("names", "pause"):
        assert wizarding.admin.client.post(f"{PAGE}/{section}", data={"answer": "pause"}).status_code == 400
    assert kept(wizarding) == before and actions(wizarding) == []


def test_the_page_in_english(wizarding: Wizarding) -> None:
    with wizarding.house.ctx.unit_of_work() as uow:
        uow.users.change(1, locale="en")
    told = send(wizarding, "automatic", quiet_seconds="x")
    assert "Enter a number from 0 to 600." in told and "When an item changed on both sides" in told
    assert "No connections yet" not in told and "自動同期" not in told


def test_a_rehearsal_says_so_with_ways_to_the_practice_screens(tmp_path: Path, wizarding: Wizarding) -> None:
    assert "練習用の会社に接続しています" not in wizarding.admin.words
    wizarding.admin.open("/connections/new")
    assert "練習用" not in wizarding.admin.words
    other = tmp_path / "rehearsal"
    other.mkdir()
    guide = "http://127.0.0.1:8013/"
    with wizard_house(other, connected=True, PRACTICE_PATH="/_practice/", PRACTICE_GUIDE=guide) as rehearsal:
        rehearsal.admin.open("/connections/new")
        assert f'href="{rehearsal.house.servers[0].url}/_practice/keys"' in rehearsal.admin.text  # where the token is
        rehearsal.admin.open("/connections")
        assert f'href="{guide}"' in rehearsal.admin.text
        assert "練習用の会社に接続しています" in rehearsal.admin.words
        for server in rehearsal.house.servers:
            assert f'href="{server.url}/_practice/people"' in rehearsal.admin.text
