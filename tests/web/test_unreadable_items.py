"""Items that can be read for nobody any more: what the pages, the command line and the metrics say, and the answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.enums import System
from app.domain.errors import Refused
from app.use_cases.connections.attributes import answer_cleared
from tests.house import KEY
from tests.web.application import operator_of
from tests.web.test_cli_access import runner
from tests.web.test_connection_screen import PAGE, actions, kept, send
from tests.web.wizard_house import Wizarding, wizard_house

pytestmark = pytest.mark.reach("test")  # long journeys

HIDDEN = {"hidden_attributes": ["tel_number"], "hidden_attribute": "null"}


@pytest.fixture
def hiding(tmp_path: Path) -> Iterator[Wizarding]:
    """The token has read telephone numbers, and may not any more."""
    with wizard_house(tmp_path, connected=True) as made:
        made.admin.open(PAGE)
        send(made, "attributes")
        made.house.smarthr_injector.set_switches(HIDDEN)
        yield made


def test_the_pages_ask_and_an_administrator_answers(hiding: Wizarding) -> None:
    assert "電話番号 読める" in hiding.admin.words and "全員の値を削除した" not in hiding.admin.words
    assert "読めなくなった項目があります" in send(hiding, "check")
    assert "SmartHRの電話番号が" in hiding.admin.words and "どの従業員についても空欄です" in hiding.admin.words
    assert "電話番号 読めなくなった" in hiding.admin.words
    hiding.admin.open("/")
    assert "どの従業員についても読めなくなりました（電話番号）" in hiding.admin.words
    assert "この答えは終わります" in send(hiding, "cleared", attribute="tel_number")
    assert "電話番号 全員空欄" in hiding.admin.words and "電話番号 読めなくなった" not in hiding.admin.words
    assert "tel_number" in kept(hiding).readable_attributes and actions(hiding)[-1] == "attribute_cleared"
    send(hiding, "attributes")
    assert "電話番号 全員空欄" in hiding.admin.words, "the answer holds while nobody has a value"


def test_a_name_that_is_missing_cannot_have_been_emptied(hiding: Wizarding) -> None:
    hiding.house.smarthr_injector.set_switch("hidden_attribute", "absent")
    send(hiding, "check")
    assert "項目ごと返ってきません" in hiding.admin.words and "全員の値を削除した" not in hiding.admin.words
    with pytest.raises(Refused, match="nothing_asked"):
        answer_cleared(hiding.house.ctx, "user:1", KEY, "tel_number")
    assert "tel_number" in kept(hiding).gone(System.SMARTHR)


def test_the_command_line_no_longer_says_readable_and_takes_the_answer(hiding: Wizarding) -> None:
    run = runner(hiding.app)
    checked = run("connection", "check", KEY)
    assert checked.exit_code == 1 and "SmartHR: 読めない項目があります" in checked.stdout
    assert "SmartHR 電話番号(tel_number): 全員が空欄です" in checked.stdout
    assert run("connection", "cleared", KEY, "gender").exit_code == 2
    assert run("connection", "cleared", KEY, "tel_number").exit_code == 0
    assert "SmartHR: 読めます" in run("connection", "check", KEY).stdout


def test_the_metrics_count_them_until_they_are_answered(hiding: Wizarding) -> None:
    client = operator_of(hiding.app, hiding.house.ctx)
    send(hiding, "check")
    line = 'awase_unreadable_attributes{connection="1",system="smarthr"} '
    assert line + "1.0" in client.get("/metrics").text
    send(hiding, "cleared", attribute="tel_number")
    assert line + "0.0" in client.get("/metrics").text


def test_a_narrower_token_is_told_at_once(hiding: Wizarding) -> None:
    token = hiding.house.ctx.tokens.smarthr_token(kept(hiding).id)
    assert "入れ替えました" in send(hiding, "token", smarthr_token=token)
    assert "電話番号 読めなくなった" in hiding.admin.words
