"""The vendors' memory across restarts: everything survives, damage is said and set aside, kill -9 loses seconds."""

from __future__ import annotations

import json
import stat
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from app.practice.freee.months import Month
from app.practice.freee.practice_freee import create_freee, freee_of
from app.practice.smarthr.practice_smarthr import create_smarthr, smarthr_of
from app.practice.staff import practice_company
from app.practice.staff.practice_company import PracticeCompany, build_company
from app.practice.vendor_kit.persistence import FORMAT, Keeper, Memory
from tests.practice.test_server import HEADERS, process

DAY = date(2026, 11, 11)
SIZE = {"vendor": "smarthr", "extra": 0, "equal_share": 0.95}


@pytest.fixture(scope="module")
def people() -> PracticeCompany:
    return build_company(DAY, extra=3)


def restarted(memory: Memory, other: Memory, folder: Path, size: dict[str, Any] = SIZE) -> Keeper:
    """What `memory` holds, written by one keeper and read into `other` by the next."""
    file = folder / "practice.json"
    Keeper(file, size, memory).save()
    keeper = Keeper(file, size, other)
    keeper.load()
    return keeper


def token(app: Flask, refresh: str) -> Any:
    form = {
        "grant_type": "refresh_token",
        "client_id": practice_company.FREEE_CLIENT_ID,
        "client_secret": practice_company.FREEE_CLIENT_SECRET,
        "refresh_token": refresh,
    }
    return app.test_client().post("/public_api/token", data=form)


# ── SmartHR ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_smarthr_tenant_comes_back_as_it_was(tmp_path: Path, people: PracticeCompany) -> None:
    before, after = (smarthr_of(create_smarthr(people)) for _ in range(2))
    number = before.crews[0]["emp_code"]
    before.edit(number, {"position": "新しい役職", "department": "新しい部署", "emp_type": "part_timer"})
    added = before.add({"emp_code": "9001", "last_name": "架空", "first_name": "花", "bank_accounts": [{}]})
    before.remove(before.crews[1]["id"])
    before.state.add_master(before.state.webhooks, {"url": "https://example.com/hook"})
    keeper = restarted(before.memory, after.memory, tmp_path)
    assert keeper.notice == ""
    assert after.state.dump() == before.state.dump()
    assert after.crew(added)["emp_code"] == "9001"
    assert after.crew(number)["position"] == "新しい役職"


def test_a_restored_tenant_goes_on_by_its_own_rules(tmp_path: Path, people: PracticeCompany) -> None:
    """A known title is found again and does not become a second entry of the master."""
    before, after = (smarthr_of(create_smarthr(people)) for _ in range(2))
    first, second = (crew["id"] for crew in before.crews[:2])
    before.edit(first, {"position": "新しい役職"})
    restarted(before.memory, after.memory, tmp_path)
    after.edit(second, {"position": "新しい役職"})
    named = [each for each in after.state.job_titles.values() if each["name"] == "新しい役職"]
    assert len(named) == 1
    assert after.crew(first)["positions"][0]["id"] == after.crew(second)["positions"][0]["id"]


def test_reset_after_a_restart_is_the_first_day(tmp_path: Path, people: PracticeCompany) -> None:
    before, app = smarthr_of(create_smarthr(people)), create_smarthr(people)
    first_day = len(before.crews)
    before.add({"last_name": "架空", "first_name": "花"})
    restarted(before.memory, smarthr_of(app).memory, tmp_path)
    assert len(smarthr_of(app).crews) == first_day + 1
    app.test_client().post("/_practice/reset")
    assert len(smarthr_of(app).crews) == first_day


# ── freee ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_freee_comes_back_with_its_months(tmp_path: Path, people: PracticeCompany) -> None:
    before, after = (freee_of(create_freee(people)) for _ in range(2))
    someone = next(each["id"] for each in people.employees if each["payroll_calculation"])
    before.edit(someone, {"profile_rule": {"title": "部長"}}, pay_month="2026-10")
    before.edit(someone, {"profile_rule": {"title": "本部長"}}, pay_month="2027-02")
    with before.lock:
        before.company.add_master("group", {"name": "総務部"})
    restarted(before.memory, after.memory, tmp_path)
    titles = [after.employee(someone, month=month)["profile_rule"]["title"] for month in ((2026, 11), (2027, 2))]
    assert titles == ["部長", "本部長"]
    assert after.dump() == before.dump()


def test_everybody_of_freee_comes_back_in_every_month(tmp_path: Path, people: PracticeCompany) -> None:
    before, after = (freee_of(create_freee(people)) for _ in range(2))
    restarted(before.memory, after.memory, tmp_path)
    for employee in people.employees:
        for month in ((2020, 1), (2026, 11), (2027, 4)):
            assert after.employee(employee["id"], month=month) == before.employee(employee["id"], month=month)


def test_ids_of_rules_and_of_removed_people_stay_given(tmp_path: Path, people: PracticeCompany) -> None:
    before, after = (freee_of(create_freee(people)) for _ in range(2))
    someone = people.employees[0]["id"]
    before.employee(people.employees[1]["id"], month=(2026, 11))  # takes the first numbers
    rule = before.employee(someone, month=(2026, 11))["profile_rule"]["id"]
    newest = before.add({"num": "9001", "entry_date": "2026-04-01"})
    before.remove(newest)
    restarted(before.memory, after.memory, tmp_path)
    assert after.employee(someone, month=(2026, 11))["profile_rule"]["id"] == rule
    assert after.add({"num": "9002", "entry_date": "2026-04-01"}) == newest + 1


def test_a_used_refresh_token_stays_used(tmp_path: Path, people: PracticeCompany) -> None:
    app, again = create_freee(people), create_freee(people)
    first = token(app, practice_company.FREEE_REFRESH_TOKEN).get_json()
    second = token(app, first["refresh_token"]).get_json()
    restarted(freee_of(app).memory, freee_of(again).memory, tmp_path)
    assert token(again, practice_company.FREEE_REFRESH_TOKEN).status_code == 401
    assert token(again, first["refresh_token"]).status_code == 401
    assert token(again, second["refresh_token"]).status_code == 200


def test_an_access_token_of_before_works_after(tmp_path: Path, people: PracticeCompany) -> None:
    app, again = create_freee(people), create_freee(people)
    access = token(app, practice_company.FREEE_REFRESH_TOKEN).get_json()["access_token"]
    restarted(freee_of(app).memory, freee_of(again).memory, tmp_path)
    for bearer, status in ((access, 200), (practice_company.FREEE_ACCESS_TOKEN, 401)):
        answer = again.test_client().get("/hr/api/v1/users/me", headers={"Authorization": f"Bearer {bearer}"})
        assert answer.status_code == status


def test_an_authorization_code_outlives_a_restart_once(tmp_path: Path, people: PracticeCompany) -> None:
    """Somebody consents while the practice company is being started again."""
    app, again = create_freee(people), create_freee(people)
    query = {
        "client_id": practice_company.FREEE_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": "http://127.0.0.1/back",
    }
    sent_to = app.test_client().get("/public_api/authorize", query_string=query).headers["Location"]
    restarted(freee_of(app).memory, freee_of(again).memory, tmp_path)
    form = {
        "grant_type": "authorization_code",
        "client_id": practice_company.FREEE_CLIENT_ID,
        "client_secret": practice_company.FREEE_CLIENT_SECRET,
        "code": sent_to.partition("code=")[2],
        "redirect_uri": "http://127.0.0.1/back",
    }
    assert [again.test_client().post("/public_api/token", data=form).status_code for _ in range(2)] == [200, 401]


def test_somebody_outside_payroll_comes_back_outside_payroll(tmp_path: Path, people: PracticeCompany) -> None:
    before, after = (freee_of(create_freee(people)) for _ in range(2))
    outside = [each["id"] for each in people.employees if not each["payroll_calculation"]]
    assert outside
    restarted(before.memory, after.memory, tmp_path)
    assert all(not after.company.people[each].in_payroll for each in outside)
    assert after.company.people[outside[0]].pay_month(Month(2026, 12)) == Month(2026, 12)


# ── files that cannot be used ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[" * 100_000, "JSON"),
        ("[]", "形式"),
        ("{}", "形式"),
        (json.dumps({"format": FORMAT + 1, "company": SIZE, "kept": {}}), "形式"),
        (json.dumps({"format": FORMAT, "company": {**SIZE, "extra": 936}, "kept": {}}), "extra=936"),
        (json.dumps({"format": FORMAT, "company": {**SIZE, "vendor": "freee"}, "kept": {}}), "vendor=freee"),
        (json.dumps({"format": FORMAT, "company": "?", "kept": {}}), "別の大きさ"),
        (json.dumps({"format": FORMAT, "company": SIZE, "kept": {}}), "KeyError"),
        (json.dumps({"format": FORMAT, "company": SIZE, "kept": None}), "TypeError"),
    ],
)
def test_an_unusable_file_is_set_aside_and_said_in_one_line(
    tmp_path: Path, people: PracticeCompany, capsys: pytest.CaptureFixture[str], content: str, told: str
) -> None:
    smarthr = smarthr_of(create_smarthr(people))
    first_day = smarthr.state.dump()
    file = tmp_path / "practice-smarthr.json"
    file.write_text(content, encoding="utf-8")
    keeper = Keeper(file, SIZE, smarthr.memory)
    keeper.load()
    noise = capsys.readouterr().err
    assert told in noise
    assert noise.count("\n") == 1
    assert keeper.notice == noise.strip()
    assert not file.exists()
    assert (tmp_path / "practice-smarthr.json.old-1").read_text(encoding="utf-8") == content
    assert smarthr.state.dump() == first_day


def test_bytes_that_are_no_text_are_set_aside(tmp_path: Path, people: PracticeCompany) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(b"\xff\xfe\x00")
    keeper = Keeper(file, SIZE, smarthr_of(create_smarthr(people)).memory)
    keeper.load()
    assert "JSON" in keeper.notice


def test_a_second_bad_file_does_not_overwrite_the_first(tmp_path: Path, people: PracticeCompany) -> None:
    file = tmp_path / "state.json"
    for content in ("one", "two"):
        file.write_text(content, encoding="utf-8")
        Keeper(file, SIZE, smarthr_of(create_smarthr(people)).memory).load()
    assert [each.read_text(encoding="utf-8") for each in sorted(tmp_path.iterdir())] == ["one", "two"]


@pytest.mark.parametrize("damage", ["employees", "masters", "group", "month", "grants", "entry_date"])
def test_half_a_freee_file_changes_nothing(tmp_path: Path, people: PracticeCompany, damage: str) -> None:
    freee = freee_of(create_freee(people))
    first_day = freee.dump()
    file = tmp_path / "state.json"
    Keeper(file, SIZE, freee.memory).save()
    told = json.loads(file.read_text(encoding="utf-8"))
    company, someone = told["kept"]["company"], told["kept"]["company"]["employees"][-1]
    company["employees"][0]["num"] = "9999"
    if damage in ("employees", "masters"):
        del company[damage]
    elif damage == "group":
        someone["group"] = "なくなったグループ"
    elif damage == "month":
        someone["rules"]["dependent_rules"] = {"2026-13": []}
    elif damage == "grants":
        told["kept"]["desk"]["grants"][0]["surprise"] = 1
    else:
        someone["entry_date"] = "昨日"
    file.write_text(json.dumps(told), encoding="utf-8")
    keeper = Keeper(file, SIZE, freee.memory)
    keeper.load()
    assert keeper.notice
    assert freee.dump() == first_day
    assert token(create_freee(people), practice_company.FREEE_REFRESH_TOKEN).status_code == 200


def test_a_crew_under_a_wrong_id_changes_nothing(tmp_path: Path, people: PracticeCompany) -> None:
    smarthr = smarthr_of(create_smarthr(people))
    first_day = smarthr.state.dump()
    kept = json.loads(json.dumps(smarthr.state.kept()))
    kept["crews"]["somebody"] = kept["crews"].pop(smarthr.crews[0]["id"])
    file = tmp_path / "state.json"
    file.write_text(json.dumps({"format": FORMAT, "company": SIZE, "kept": kept}), encoding="utf-8")
    keeper = Keeper(file, SIZE, smarthr.memory)
    keeper.load()
    assert "KeyError" in keeper.notice
    assert smarthr.state.dump() == first_day


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_file_is_the_owners_alone_and_nothing_lies_beside_it(tmp_path: Path, people: PracticeCompany) -> None:
    file = tmp_path / "state.json"
    file.write_text("{}", encoding="utf-8")
    file.chmod(0o644)
    Keeper(file, SIZE, freee_of(create_freee(people)).memory).save()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


def test_a_folder_that_is_gone_is_said_and_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given: dict[str, int] = {"people": 1}
    keeper = Keeper(tmp_path / "gone" / "state.json", SIZE, Memory(threading.Lock(), lambda: given, given.update))
    keeper.save()
    assert "保存できません" in capsys.readouterr().err
    (tmp_path / "gone").mkdir()
    keeper.save()
    assert json.loads((tmp_path / "gone" / "state.json").read_text(encoding="utf-8"))["kept"] == {"people": 1}


def counting_app(file: Path) -> tuple[Flask, Keeper, dict[str, int]]:
    """An app whose POST counts and whose GET does not."""
    app, given = Flask("counting"), {"count": 0}

    @app.route("/", methods=["GET", "POST"])
    @app.route("/public_api/authorize")
    def count() -> str:
        given["count"] += 1
        return "ok"

    @app.post("/broken")
    def broken() -> str:
        given["count"] += 1
        raise OSError("cut")

    return app, Keeper(file, SIZE, Memory(threading.Lock(), lambda: given, given.update), seconds=0.05), given


def awaited(file: Path, count: int) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if file.exists() and json.loads(file.read_text(encoding="utf-8"))["kept"]["count"] == count:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("GET", "/public_api/authorize"), ("POST", "/broken")])
def test_a_change_is_written_soon_without_a_stop(tmp_path: Path, method: str, path: str) -> None:
    app, keeper, _ = counting_app(tmp_path / "state.json")
    keeper.start(app)
    assert awaited(keeper.file, 0)  # the file is there from the beginning
    app.test_client().open(path, method=method)
    assert awaited(keeper.file, 1)
    keeper.stop()


def test_reading_writes_nothing(tmp_path: Path) -> None:
    app, keeper, _ = counting_app(tmp_path / "state.json")
    keeper.start(app)
    assert awaited(keeper.file, 0)
    keeper.file.unlink()
    app.test_client().get("/")
    time.sleep(0.3)
    assert not keeper.file.exists()
    keeper.stop()
    assert awaited(keeper.file, 1)  # the last word is written in any case


def test_what_is_kept_is_told_over_http(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("?", encoding="utf-8")
    app, keeper, _ = counting_app(tmp_path / "state.json")
    keeper.start(app)
    told = app.test_client().get("/_practice/kept").get_json()
    keeper.stop()
    assert told["file"] == str(tmp_path / "state.json")
    assert "old-1" in told["notice"]


# ── as processes ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.processes
@pytest.mark.parametrize("how", ["TERM", "KILL"])
def test_a_vendor_process_remembers(tmp_path: Path, how: str) -> None:
    file = tmp_path / "smarthr.json"
    with process("smarthr", "--state", str(file)) as (told, running):
        added = requests.post(
            f"{told['url']}/{practice_company.SUBDOMAIN}/api/v1/job_titles",
            json={"name": "新しい役職"},
            headers=HEADERS,
            timeout=10,
        )
        assert added.status_code == 201
        if how == "KILL":
            end = time.monotonic() + 20
            while "新しい役職" not in (file.read_text(encoding="utf-8") if file.exists() else ""):
                assert time.monotonic() < end, "the change was not written"
                time.sleep(0.1)
            running.kill()
    with process("smarthr", "--state", str(file)) as (told, _):
        state = requests.get(f"{told['url']}/_practice/state", timeout=10).json()
        assert added.json() in state["job_titles"]


@pytest.mark.processes
def test_another_company_size_starts_fresh_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "freee.json"
    with process("freee", "--state", str(file)):
        pass
    with process("freee", "--state", str(file), "--extra", "5") as (told, running):
        notice = requests.get(f"{told['url']}/_practice/kept", timeout=10).json()["notice"]
        running.terminate()
        _, noise = running.communicate(timeout=20)
    assert notice == noise.strip()
    assert "extra=0" in notice
    assert (tmp_path / "freee.json.old-1").exists()
    assert json.loads(file.read_text(encoding="utf-8"))["company"]["extra"] == 5
