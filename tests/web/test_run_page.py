"""The page of one run, behind the link of its mail: progress, results by role, what can be done, the mail as sent."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.domain.access.roles import Role
from app.domain.enums import Direction, Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import MailPolicy
from app.use_cases.upkeep import relay
from tests.forms import token_in
from tests.house import House
from tests.web.application import application_on
from tests.web.visitor import PASSWORD, Visitor, visitor

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
Enter = Callable[[Role], Visitor]


@pytest.fixture
def app(house: House) -> Flask:
    return application_on(house.ctx)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def enter(house: House, app: Flask) -> Enter:
    return lambda role: visitor(house.ctx, app.test_client(), role)


def surveyed(house: House) -> None:
    """Up to where the employees of a run wait for their jobs."""
    relay.relay_once(house.ctx)
    for job in house.queue.take():
        house.do(job)


# ── the way here ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_mail_leads_to_it_through_the_sign_in(house: House, client: FlaskClient, enter: Enter) -> None:
    enter(Role.MEMBER)
    house.run(TO_FREEE)
    body = house.postbox.mails[0].body
    link = next(line for line in body.splitlines() if line.startswith("連携履歴: "))
    path = link.removeprefix("連携履歴: " + house.ctx.settings.base_url)
    stranger = Visitor(client)
    assert "パスワード" in stranger.open(path)
    stranger.send(login="member@example.invalid", password=PASSWORD)
    assert stranger.page is not None and stranger.page.request.path == path
    assert "従業員情報同期終了" in stranger.words


def test_an_unknown_run_is_not_there(enter: Enter) -> None:
    admin = enter(Role.ADMIN)
    for wrong in ("0", "nobody", "00000000-0000-0000-0000-000000000000", "a" * 3000, "%00"):
        for page in ("", "/progress", "/mail", ".csv", "/retry", "/cancel"):
            admin.open(f"/runs/{wrong}{page}", status=404)
            assert "見つかりません" in admin.words


# ── under way ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_before_its_people_are_known_it_says_so(house: House, enter: Enter) -> None:
    run = house.start(TO_FREEE)
    member = enter(Role.MEMBER)
    text = member.open(f"/runs/{run.id}")
    assert "従業員情報同期開始" in member.words and "従業員情報同期終了" not in member.words
    assert "対象の人数を確認しています" in member.words and "受付済み" in member.words
    assert re.search(r"<progress[^>]*>", text) and not re.search(r"<progress[^>]*\bvalue=", text)
    assert '<noscript><meta http-equiv="refresh"' in text


def test_progress_counts_rate_and_time_to_go(house: House, enter: Enter) -> None:
    run = house.start(TO_FREEE)
    surveyed(house)
    relay.relay_once(house.ctx)
    for job in house.queue.take()[:4]:
        house.do(job)
    house.clock.turn(seconds=10)
    member = enter(Role.MEMBER)
    fragment = member.open(f"/runs/{run.id}/progress")
    seen = house.seen(run)
    assert f'data-live="/runs/{run.id}/progress"' in fragment and "<html" not in fragment
    assert f'max="{seen.progress.total}" value="{seen.progress.done}"' in fragment
    assert f"{seen.progress.done} / {seen.progress.total} 人" in member.words
    assert "1分あたり 約 24 人" in member.words
    left = seen.progress.total - seen.progress.done
    assert f"あと約 {round(left / 0.4)}秒" in member.words
    assert f"{left} 待機中" in member.words


def test_when_it_has_ended_the_fragment_says_where_to_go(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE)
    member = enter(Role.MEMBER)
    fragment = member.open(f"/runs/{run.id}/progress")
    assert "data-live" not in fragment and f'data-then="/runs/{run.id}"' in fragment
    assert "refresh" not in member.open(f"/runs/{run.id}")


def test_a_preview_waits_for_somebody(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE, dry_run=True)
    member = enter(Role.MEMBER)
    assert f'data-then="/runs/{run.id}/people"' in member.open(f"/runs/{run.id}/progress")
    text = member.open(f"/runs/{run.id}")
    assert "まだ何も書き込んでいません" in member.words and f'href="/runs/{run.id}/people"' in text
    ops = enter(Role.OPS)
    assert f'data-then="/runs/{run.id}"' in ops.open(f"/runs/{run.id}/progress")
    assert f'href="/runs/{run.id}/people"' not in ops.open(f"/runs/{run.id}")


def test_a_run_that_waits_for_a_consent_says_so(house: House, enter: Enter) -> None:
    house.freee.revoke_all_tokens()
    run = house.start(TO_SMARTHR)
    house.work(reconciling=False)
    member = enter(Role.MEMBER)
    member.open(f"/runs/{run.id}")
    assert "実行結果" not in member.words and "認可" in member.words


def test_cancel_ends_it_and_is_noted(house: House, enter: Enter) -> None:
    run = house.start(TO_FREEE)
    surveyed(house)
    member = enter(Role.MEMBER)
    member.open(f"/runs/{run.id}")
    member.send(f"/runs/{run.id}/cancel")  # without scripts the button asks on a page
    assert "取り消しますか" in member.words
    member.send(f"/runs/{run.id}/cancel")
    assert "取り消しました" in member.words
    house.work()
    assert house.seen(run).counts[ItemState.CANCELLED] > 0
    assert audited(house, f"run:{run.id}") == [("run_cancelled", "user:1")]
    page = member.open(f"/runs/{run.id}")
    assert "data-opens" not in page.replace('data-opens="ask-retry"', "")
    answer = member.client.post(f"/runs/{run.id}/cancel", data={"csrf_token": token_in(page)}, follow_redirects=True)
    assert "すでに終わっている" in answer.get_data(as_text=True)


# ── results ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_finished_run_tells_its_history_causes_and_remedies(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE)
    member = enter(Role.MEMBER)
    member.open(f"/runs/{run.id}")
    words = member.words
    assert "SmartHRからfreee人事労務へ" in words
    assert words.index("従業員情報同期開始") < words.index("従業員情報同期終了") < words.index("実行結果: 一部失敗")
    assert "入社年月日が入力されていません。 失敗 1人" in words
    assert "SmartHRで入社年月日を入力し" in words and "対応する人 人事労務担当者" in words
    assert f"SmartHR {run.vendor_calls['smarthr']} 回" in words


def test_people_by_state_cause_and_number(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE)
    member = enter(Role.MEMBER)
    failed = [item for item in house.items(run) if item.state is ItemState.FAILED]
    assert listed(member.open(f"/runs/{run.id}?state=failed")) == [item.employee_number for item in failed]
    one = failed[0]
    assert listed(member.open(f"/runs/{run.id}?cause={one.error_code}")) == [
        item.employee_number for item in house.items(run) if item.error_code == one.error_code
    ]
    assert listed(member.open(f"/runs/{run.id}?number={one.employee_number}")) == [one.employee_number]
    assert "該当する従業員がいません" in member.open(f"/runs/{run.id}?number=%25")


def test_everybody_is_on_one_of_the_pages_once(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE)
    member = enter(Role.MEMBER)
    address, seen = f"/runs/{run.id}", []
    while True:
        page = member.open(address)
        seen += listed(page)
        onward = re.search(r'rel="next" href="([^"#]+)', page)
        if not onward:
            break
        address = onward.group(1).replace("&amp;", "&")
    assert sorted(seen) == sorted(item.employee_number or "番号なし" for item in house.items(run))
    assert len(seen) > 60


def test_what_was_changed_before_and_after(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE)
    page = enter(Role.MEMBER)
    page.open(f"/runs/{run.id}?number=0042")
    assert "姓 変更前: 松本 → 変更後: 大原" in page.words
    assert "本人情報: 完了" in page.words and "反映する支払月" in page.words


def test_by_which_rules_a_value_was_read_in_both_languages(house: House, enter: Enter) -> None:
    (crew_id,) = house.smarthr.ids_by_number("0042")
    house.smarthr.edit(crew_id, {"last_name": "大\u200b原", "last_name_yomi": "おおはら"})
    run = house.run(TO_FREEE)
    member = enter(Role.MEMBER)
    member.open(f"/runs/{run.id}?number=0042")
    assert "姓: 目に見えない文字を取り除きました。" in member.words
    assert "姓（カナ）: ひらがなをカタカナにしました。" in member.words
    with house.ctx.unit_of_work() as uow:
        uow.users.change(1, locale="en")
    member.open(f"/runs/{run.id}?number=0042")
    assert "Invisible characters were removed." in member.words
    assert "Hiragana was converted to katakana." in member.words


def test_roles_see_as_much_as_they_may(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE)
    roles = (Role.ADMIN, Role.MEMBER, Role.VIEWER)
    shown = {role: enter(role).open(f"/runs/{run.id}?number=0044") for role in roles}
    assert all("7654321" in shown[role] for role in (Role.ADMIN, Role.MEMBER))
    assert "7654321" not in shown[Role.VIEWER] and "••••" in shown[Role.VIEWER]
    assert "ask-retry" in shown[Role.MEMBER] and "ask-retry" not in shown[Role.VIEWER]


def test_operations_see_nothing_personal(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE, started_by="user:1")
    enter(Role.ADMIN)
    ops = enter(Role.OPS)
    text = ops.open(f"/runs/{run.id}") + ops.open(f"/runs/{run.id}?after=29") + ops.open(f"/runs/{run.id}?number=0042")
    text += ops.open(f"/runs/{run.id}.csv") + ops.open("/runs")
    plain = re.sub(r'(id|name|href|value|action|datetime|src)="[^"]*"', "", text)
    for crew in house.company.crews:
        assert crew["last_name"] + " " + crew["first_name"] not in plain
        if crew["emp_code"]:
            assert not re.search(rf"(?<!\d){crew['emp_code']}(?!\d)", plain), crew["emp_code"]
    assert "大原" not in plain and "admin@example.invalid" not in plain
    assert "1 番目" in text
    ops.open(f"/runs/{run.id}/mail", status=403)


def test_retry_starts_a_run_for_those_who_failed(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE)
    failed = {item.employee_number for item in house.items(run) if item.state is ItemState.FAILED}
    member = enter(Role.MEMBER)
    member.open(f"/runs/{run.id}/retry")
    member.send(f"/runs/{run.id}/retry")
    assert member.page is not None
    again = member.page.request.path.removeprefix("/runs/")
    assert again != run.id and "もう一度、同期を始めました" in member.words
    house.work()
    with house.ctx.unit_of_work() as uow:
        row = uow.runs.get_by_public_id(again)
    assert row is not None and row.trigger is Trigger.RETRY and set(row.scope or ()) == failed
    assert audited(house, f"run:{run.id}") == [("run_retried", "user:1")]
    assert f'href="/runs/{again}"' in member.open(f"/runs/{run.id}")
    assert f'href="/runs/{run.id}"' in member.open(f"/runs/{again}")


def test_a_viewer_may_neither_cancel_nor_retry(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE)
    viewer = enter(Role.VIEWER)
    page = viewer.text
    for what in ("cancel", "retry"):
        assert viewer.client.post(f"/runs/{run.id}/{what}", data={"csrf_token": token_in(page)}).status_code == 403
        viewer.open(f"/runs/{run.id}/{what}", status=403)


def test_a_failed_run_says_why_and_may_be_repeated(house: House, enter: Enter) -> None:
    house.smarthr_injector.set_switch("token_revoked", True)
    run = house.run(TO_SMARTHR)
    member = enter(Role.MEMBER)
    member.open(f"/runs/{run.id}")
    assert house.seen(run).state is RunState.FAILED
    assert "実行結果: 失敗" in member.words and "無効になっています" in member.words
    assert "対象の従業員がいませんでした" in member.words and "もう一度同期する" in member.words


# ── the mail, the file ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_mail_as_it_was_sent(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE)
    member = enter(Role.MEMBER)
    text = member.open(f"/runs/{run.id}/mail")
    mail = house.postbox.mails[0]
    assert mail.subject in member.words and ", ".join(mail.to) in member.words
    assert mail.body.strip() in text


def test_the_html_part_stands_in_a_frame_where_nothing_runs(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE)
    member = enter(Role.MEMBER)
    text = member.open(f"/runs/{run.id}/mail")
    address = f"/runs/{run.id}/mail/1"
    (frame,) = re.findall(r"<iframe[^>]*>", text)
    assert f'src="{address}"' in frame
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame, "no scripts, forms or origin of ours"
    assert member.page is not None and "frame-src 'self'" in member.page.headers["Content-Security-Policy"]
    shown = member.open(address)
    assert shown.replace('<base target="_blank">\n', "", 1) == house.postbox.mails[0].html
    policy = member.page.headers["Content-Security-Policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", shown, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy and "script-src" not in policy and "unsafe" not in policy
    for rule in ("default-src 'none'", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'self'", "sandbox "):
        assert rule in policy
    assert "allow-scripts" not in policy and "allow-same-origin" not in policy
    for wrong in ("/mail/0", "/mail/2", "/mail/x"):
        member.open(f"/runs/{run.id}{wrong}", status=404)
    enter(Role.OPS).open(address, status=403)


def test_why_there_is_no_mail(house: House, enter: Enter) -> None:
    member = enter(Role.MEMBER)
    run = house.start(TO_FREEE)
    member.open(f"/runs/{run.id}/mail")
    assert "同期が終わると" in member.words
    house.work()
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_options(replace(house.connection, mail_policy=MailPolicy.FAILURES))
    quiet = house.run(TO_FREEE, trigger=Trigger.WEBHOOK, employees=("0001",))
    member.open(f"/runs/{quiet.id}/mail")
    assert "メールを送っていません" in member.words


def test_the_file_is_taken_along_and_that_is_noted(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE)
    viewer = enter(Role.VIEWER)
    answer = viewer.client.get(f"/runs/{run.id}.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "smarthr_to_freee-20261111.csv" in answer.headers["Content-Disposition"]
    told = answer.get_data().decode("utf-8-sig")
    assert told.count("\r\n") == len(house.items(run)) + 1
    assert '"=""00123"""' in told and "7654321" not in told
    assert audited(house, f"run:{run.id}") == [("results_downloaded", "user:1")]


def test_it_speaks_english(house: House, enter: Enter) -> None:
    run = house.run(TO_FREEE)
    member = enter(Role.MEMBER)
    with house.ctx.unit_of_work() as uow:
        uow.users.change(1, locale="en")
    member.open(f"/runs/{run.id}?state=failed")
    assert "Employee sync ended" in member.words and "Partly failed" in member.words


# ── how a page is read ────────────────────────────────────────────────────────────────────────────────────────────


def listed(page: str) -> list[str]:
    return re.findall(r'<span class="number who">([^<]*)</span>', page)


def audited(house: House, subject: str) -> list[tuple[str, str]]:
    with house.ctx.unit_of_work() as uow:
        found = [(row.action, row.actor) for row in uow.audit.page(subject=subject)]
    return [entry for entry in found if entry != ("run_started", "test")]
