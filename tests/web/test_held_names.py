"""Names of 締め日支払い日: read from freee for the page, looked up before they are saved, typed while it is away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from app.domain.access.roles import Role
from app.use_cases.connections.held_names import HeldNames
from tests.house import KEY
from tests.web.wizard_house import EXPORT, Wizarding, wizard_house

pytestmark = [pytest.mark.reach("test"), pytest.mark.database("sqlite")]

PAGE = f"/connections/{KEY}"
PART = f"{PAGE}/pay-schedules"
AWAY = {"status_code": 503, "errors": [{"type": "error", "messages": ["x"]}]}


@pytest.fixture
def wizarding(tmp_path: Path) -> Iterator[Wizarding]:
    with wizard_house(tmp_path, connected=True) as made:
        made.admin.open(PAGE)
        yield made


def names_in(wizarding: Wizarding) -> list[str]:
    (found,) = re.findall(r'data-names="([^"]*)"', wizarding.admin.text)
    listed: list[str] = json.loads(unescape(found))
    return listed


def save(wizarding: Wizarding, **changes: Any) -> str:
    wizarding.admin.open(PAGE)
    wizarding.admin.send(f"{PAGE}/export", press=("answer", "save"), **{**EXPORT, **changes})
    return wizarding.admin.words


def saved_name(wizarding: Wizarding) -> str:
    settings = wizarding.house.connection.export_settings
    assert settings is not None
    return settings.pay_schedule_name


def calls(wizarding: Wizarding) -> int:
    return sum("/employees" in each.path for each in wizarding.house.freee_injector.requests)


def test_the_page_asks_freee_for_nothing_and_its_part_does(wizarding: Wizarding) -> None:
    before = calls(wizarding)
    wizarding.admin.open(PAGE)
    assert calls(wizarding) == before and names_in(wizarding) == []
    wizarding.admin.open(PART)
    assert calls(wizarding) > before
    assert set(names_in(wizarding)) >= {"正社員"} and "freee の従業員がいるグループ" in wizarding.admin.words


def test_without_scripts_a_link_reads_them(wizarding: Wizarding) -> None:
    (link,) = re.findall(r'<noscript><p class="hint"><a href="([^"]+)"', wizarding.admin.text)
    wizarding.admin.open(unescape(link))
    assert "正社員" in names_in(wizarding)


def test_a_name_that_nobody_there_has_is_told_before_it_is_saved(wizarding: Wizarding) -> None:
    before = saved_name(wizarding)
    told = save(wizarding, pay_schedule_name="正社貝")
    assert "この名前のグループの人がいません" in told and "「正社員」ではありませんか" in told
    assert saved_name(wizarding) == before and 'value="正社貝"' in wizarding.admin.text
    wizarding.admin.send(f"{PAGE}/export", press=("answer", "save"), as_typed="yes")
    assert "保存しました" in wizarding.admin.words and saved_name(wizarding) == "正社貝"


def test_also_in_a_set_of_a_kind_of_employment(wizarding: Wizarding) -> None:
    more = {f"set-0-{name}": value for name, value in EXPORT.items()}
    more |= {"set-0-employment_type": "アルバイト", "set-0-pay_schedule_name": "アルバイ卜"}
    told = save(wizarding, **more)
    assert "この名前のグループの人がいません" in told
    assert wizarding.house.connection.export_settings_by_type == {}


def test_what_is_saved_already_is_not_looked_up_again(wizarding: Wizarding) -> None:
    save(wizarding)
    before = calls(wizarding)
    assert "保存しました" in save(wizarding, base_pay="250,000")
    assert calls(wizarding) == before


def test_while_freee_is_away_the_name_is_saved_and_the_page_says_that_nobody_looked(wizarding: Wizarding) -> None:
    wizarding.house.freee_injector.fault(path="/employees", status=503, body=AWAY)
    wizarding.admin.open(PART)
    assert "freee から名前を読めませんでした" in wizarding.admin.words and names_in(wizarding) == []
    told = save(wizarding, pay_schedule_name="あたらしい組")
    assert "保存しました" in told and "名前は確かめていません" in told
    assert saved_name(wizarding) == "あたらしい組"


def test_only_who_sets_up_reads_them(wizarding: Wizarding) -> None:
    for role in (Role.MEMBER, Role.VIEWER, Role.OPS):
        wizarding.visit(role).open(PART, status=403)
    wizarding.admin.open("/connections/nobody/pay-schedules", status=404)


@pytest.mark.parametrize(
    ("typed", "near"), [("正社員 ", "正社員"), ("ｱﾙﾊﾞｲﾄ", "アルバイト"), ("正社貝", "正社員"), ("まったく別", None)]
)
def test_the_name_that_was_meant(typed: str, near: str | None) -> None:
    assert HeldNames(("アルバイト", "正社員"), complete=True).nearest(typed) == near
