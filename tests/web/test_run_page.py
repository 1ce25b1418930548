"""The page behind the link of a summary mail: history, counts, reasons; nothing personal; honest under way."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.domain.words import Direction
from app.factory import create_app
from tests.house import House


@pytest.fixture
def client(house: House) -> FlaskClient:
    return create_app(house.ctx).test_client()


def test_a_finished_run_tells_its_history_and_what_to_do(house: House, client: FlaskClient) -> None:
    run = house.run(Direction.SMARTHR_TO_FREEE)
    answer = client.get(f"/runs/{run.id}")
    text = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "SmartHRからfreee人事労務へ" in text
    assert text.index("従業員情報同期開始") < text.index("従業員情報同期終了") < text.index("実行結果: 一部失敗")
    assert "入社年月日が入力されていません。" in text
    assert "Refresh" not in answer.headers


def test_the_mail_links_to_it(house: House, client: FlaskClient) -> None:
    house.run(Direction.SMARTHR_TO_FREEE)
    body = house.postbox.mails[0].body
    link = next(line for line in body.splitlines() if line.startswith("連携履歴: "))
    path = link.removeprefix("連携履歴: " + house.ctx.settings.base_url)
    assert client.get(path).status_code == 200


def test_nothing_personal_is_on_it(house: House, client: FlaskClient) -> None:
    run = house.run(Direction.SMARTHR_TO_FREEE)
    text = client.get(f"/runs/{run.id}").get_data(as_text=True)
    for crew in house.company.crews:
        for word in (crew["emp_code"], crew["last_name"] + crew["first_name"], crew.get("tel_number")):
            assert not word or f">{word}<" not in text
            assert not word or len(word) < 4 or word in run.id or word not in text.replace(run.id, "")


def test_a_run_under_way_shows_its_progress_and_reloads_itself(house: House, client: FlaskClient) -> None:
    run = house.start(Direction.SMARTHR_TO_FREEE)
    answer = client.get(f"/runs/{run.id}")
    text = answer.get_data(as_text=True)
    assert "受付済み: 0 / — 人" in text
    assert answer.headers["Refresh"] == "5"
    assert "従業員情報同期終了" not in text


def test_a_failed_run_says_why(house: House, client: FlaskClient) -> None:
    house.smarthr_wire.set_switch("token_revoked", True)
    run = house.run(Direction.FREEE_TO_SMARTHR)
    text = client.get(f"/runs/{run.id}").get_data(as_text=True)
    assert "実行結果: 失敗" in text
    assert "取り消されています" in text


def test_a_run_that_waits_for_a_consent_says_so(house: House, client: FlaskClient) -> None:
    house.freee.revoke_all_tokens()
    run = house.start(Direction.FREEE_TO_SMARTHR)
    house.work(reconciling=False)
    text = client.get(f"/runs/{run.id}").get_data(as_text=True)
    assert "実行結果" not in text
    assert "認可" in text


@pytest.mark.parametrize("wrong", ["0", "nobody", "00000000-0000-0000-0000-000000000000", "a" * 3000])
def test_an_unknown_run_is_not_there(client: FlaskClient, wrong: str) -> None:
    answer = client.get(f"/runs/{wrong}")
    assert answer.status_code == 404
    assert "見つかりません" in answer.get_data(as_text=True)


def test_a_nul_is_no_run(client: FlaskClient) -> None:
    assert client.get("/runs/%00").status_code == 404


def test_it_takes_no_resource_from_elsewhere(house: House, client: FlaskClient) -> None:
    run = house.start(Direction.SMARTHR_TO_FREEE)
    policy = client.get(f"/runs/{run.id}").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
