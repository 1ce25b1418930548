"""Personal data stays where it belongs: what people are called, where they live and where their pay goes is looked for
afterwards in logs, the broker, metrics, the database files and answers to keys without personal:read."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from redis import Redis

from app.practice import launch
from app.practice.house.demo import FINAL, Api
from app.practice.staff import practice_company

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

NUMBERS = [f"CANARY{n}" for n in range(6)]


def crew(n: int) -> dict[str, Any]:
    """Somebody with values that occur nowhere else."""
    return {
        "emp_code": NUMBERS[n],
        "emp_status": "employed",
        "last_name": f"金糸雀{'一二三四五六'[n]}",
        "first_name": "鳴子",
        "last_name_yomi": "キンシジャク" + "アイウエオカ"[n],
        "first_name_yomi": "ナルコノコエ",
        "gender": "female",
        "birth_at": f"1961-07-1{n}",
        "entered_at": "2019-04-01",
        "tel_number": f"070-5555-873{n}",
        "address": home("鶯谷千鳥町七番鳥籠"),
        "resident_card_address": home("雲雀丘翡翠通り九番"),
        "bank_accounts": [account(n)],
        "emp_ins_insured_person_number": f"9182-73645{n}-1",
        "basic_pension_number": f"8273-64591{n}",
        "hel_ins_insured_person_number": 771_230 + n,
        "soc_ins_insured_person_number": 881_230 + n,
        "monthly_standard_income_hel": 1_372_910 + n,
        "monthly_standard_income_pns": 1_372_910 + n,
    }


def home(street: str) -> dict[str, Any]:
    return {
        "country_number": "392",
        "zip_code": "907-1801",
        "pref": "沖縄県",
        "city": "八重山郡与那国町",
        "street": street,
        "literal_yomi": "オキナワケンヤエヤマグンヨナグニチョウトリカゴ",
    }


def account(n: int) -> dict[str, Any]:
    return {
        "bank_code": "0001",
        "bank_branch_code": "011",
        "account_type": "saving",
        "account_number": f"864209{n}",
        "account_holder_name": "キンシジヤク ナルコ",
    }


WORDS = [
    "金糸雀",
    "鳴子",
    "キンシジャク",
    "ｷﾝｼｼﾞｬｸ",
    "キンシジヤク",
    "ナルコノコエ",
    "千鳥町七番",
    "雲雀丘翡翠",
    "トリカゴ",
    "与那国",
]
VALUES = [
    each
    for n in range(6)
    for each in (
        *(f"070-5555-873{n}", f"0705555873{n}", f"1961-07-1{n}", f"1961年7月1{n}日", f"864209{n}"),
        *(f"9182-73645{n}-1", f"918273645{n}1", f"8273-64591{n}", f"827364591{n}"),
        *(f"{771_230 + n}", f"{881_230 + n}", f"{1_372_910 + n}", f"1,372,91{n}", "907-1801", "9071801"),
    )
]
TOKENS = [
    practice_company.SMARTHR_TOKEN,
    practice_company.FREEE_ACCESS_TOKEN,
    practice_company.FREEE_REFRESH_TOKEN,
    practice_company.FREEE_CLIENT_SECRET,
]
SENTENCE = "金糸雀一 鳴子さん（キンシジャクア）の口座番号8642090は正しくありません。"
NAMES_SOMEBODY = {"status_code": 400, "errors": [{"type": "bad_request", "messages": [SENTENCE]}]}
SMARTHR_NAMES_SOMEBODY = {
    "status": 400,
    "body": {"code": 1, "type": "bad_request", "message": SENTENCE, "errors": [{"message": SENTENCE}]},
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[launch.House]:
    patch = pytest.MonkeyPatch()
    patch.delenv("REDIS_URL", raising=False)
    for name, value in {"LOG_LEVEL": "DEBUG", "RETRY_BASE_SECONDS": "0.2", "MAX_ATTEMPTS": "2"}.items():
        patch.setenv(name, value)
    opened = launch.open_house(tmp_path_factory.mktemp("canary"), launch.Ports.wanted(0), extra=0)
    yield opened
    opened.processes.stop()
    patch.undo()


def practice(house: launch.House, vendor: str, path: str, body: Any) -> Any:
    port = getattr(house.ports, vendor)
    answer = requests.post(f"http://127.0.0.1:{port}/_practice/{path}", json=body, timeout=20)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def run(house: launch.House, direction: str) -> dict[str, Any]:
    api = Api(house.url, house.api_key)
    wanted = {
        "connection": house.connection,
        "direction": direction,
        "as_of_date": practice_company.japan_today().isoformat(),
        "employees": "all",
        "dry_run": False,
        "acknowledge_mass_change": True,
    }
    started = api.post("/api/v1/runs", wanted)
    for _ in range(1200):
        seen: dict[str, Any] = api.get(f"/api/v1/runs/{started['id']}")
        if seen["state"] in FINAL:
            return seen
        time.sleep(0.1)
    raise AssertionError("the run did not end")


@pytest.fixture(scope="module")
def answers(house: launch.House) -> dict[str, str]:
    """Both directions with every kind of fault; what the API answered to a key without personal:read."""
    for n in range(6):
        practice(house, "smarthr", "crews", crew(n))
    faults: list[dict[str, Any]] = [
        {"method": "PUT", "path": "/bank_account_rule", "status": 400, "body": NAMES_SOMEBODY},
        {"method": "PUT", "path": "/profile_rule", "nth": 2, "times": 1, "cut": True, "after": True},
        {"method": "PUT", "path": "/health_insurance_rule", "nth": 3, "times": 1, "garbage": True},
        {
            "method": "PUT",
            "path": "/profile_rule",
            "nth": 4,
            "times": 1,
            "status": 500,
            "body": "金糸雀二 鳴子 8642091",
        },
        {"method": "GET", "path": "/employees/", "nth": 5, "times": 1, "status": 200, "body": {"last_name": "金糸雀"}},
        {"method": "PUT", "path": "/welfare", "nth": 1, "times": 1, "status": 404, "body": NAMES_SOMEBODY},
    ]
    for fault in faults:
        practice(house, "freee", "faults", fault)
    practice(house, "smarthr", "faults", {"method": "PATCH", "path": "/crews/", "nth": 1, **SMARTHR_NAMES_SOMEBODY})
    runs = [run(house, "smarthr_to_freee"), run(house, "freee_to_smarthr")]
    requests.delete(f"http://127.0.0.1:{house.ports.freee}/_practice/faults", timeout=10).raise_for_status()
    runs.append(run(house, "smarthr_to_freee"))
    found = {
        path: json.dumps(Api(house.url, house.api_key).get(path), ensure_ascii=False)
        for path in (
            *(f"/api/v1/runs/{each['id']}" for each in runs),
            *(f"/api/v1/runs/{each['id']}/items?limit=100" for each in runs),
            "/api/v1/runs",
            "/api/v1/queue",
        )
    }
    key = {"Authorization": f"Bearer {house.api_key}"}
    found["/metrics"] = requests.get(f"{house.url}/metrics", headers=key, timeout=10).text
    return found


def leaks(text: str | bytes) -> list[str]:
    """Canaries in the text, also in JSON's escapes. Digits count where they are not part of a digest."""
    raw = text if isinstance(text, bytes) else text.encode()
    words = [each for each in (*WORDS, *TOKENS) if each.encode() in raw or json.dumps(each)[1:-1].encode() in raw]
    digits = {each for each in VALUES if re.search(rb"(?<![0-9a-f])%b(?![0-9a-f])" % each.encode(), raw)}
    return words + sorted(digits)


def test_the_faults_were_met_and_people_were_written(answers: dict[str, str]) -> None:
    items = [item for path, text in answers.items() if "/items" in path for item in json.loads(text)["items"]]
    mine = [item for item in items if item["employee_number"] in NUMBERS]
    assert {"succeeded", "failed"} <= {item["state"] for item in mine}, [(i["state"], i["error_code"]) for i in mine]


def test_answers_without_personal_read_hold_nothing_personal(answers: dict[str, str]) -> None:
    assert {path: found for path, text in answers.items() if (found := leaks(text))} == {}


def test_logs_hold_nothing_personal(answers: dict[str, str], house: launch.House) -> None:
    logs = {file.name: file.read_bytes() for file in house.processes.logs.glob("*.log")}
    assert any(b"item_done" in text for text in logs.values())
    assert {name: found for name, text in logs.items() if (found := leaks(text))} == {}


def test_the_broker_holds_nothing_personal(answers: dict[str, str], house: launch.House) -> None:
    (socket,) = Path(house.folder).glob("**/broker.sock")
    client = Redis.from_url(f"unix://{socket}")
    kept = {key: client.dump(key) or b"" for key in client.scan_iter(count=1000)}
    hashes = {key: b" ".join(client.hgetall(key).values()) for key in kept if client.type(key) == b"hash"}
    assert kept
    assert {key: found for key, text in {**kept, **hashes}.items() if (found := leaks(key + text))} == {}


def test_the_database_files_hold_nothing_in_plain(answers: dict[str, str], house: launch.House) -> None:
    files = {file.name: file.read_bytes() for file in Path(house.folder).glob("awase.db*")}
    assert files
    assert any(number.encode() in text for number in NUMBERS for text in files.values()), "numbers are kept in plain"
    assert {name: found for name, text in files.items() if (found := leaks(text))} == {}
