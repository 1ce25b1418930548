"""`make demo`: one sync in each direction over HTTP, the history and the mails on the terminal, every outcome checked.

Each direction runs twice: the first run brings the systems into line, the second one has to find nothing to do and to
write nothing. The practice company's staff says how each person should end (`practice_company.expected_counts`); the
practice vendors' own request logs count the vendor calls, because that is where they arrive.
"""

from __future__ import annotations

import email
import email.policy
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Protocol

import requests
from tqdm import tqdm

from app.practice.house.processes import local_session
from app.practice.staff import practice_company

DIRECTIONS = {"smarthr_to_freee": "SmartHR → freee人事労務", "freee_to_smarthr": "freee人事労務 → SmartHR"}
LABELS = {
    "succeeded": "成功",
    "unchanged": "変更なし",
    "needs_review": "要確認",
    "conflict": "要確認",
    "failed": "失敗",
    "left_out": "対象外",
}
FINAL = ("succeeded", "partly_failed", "failed", "cancelled")
RUN_TIMEOUT_SECONDS = 1800
MAIL_TIMEOUT_SECONDS = 60
JAPAN = timedelta(hours=9)


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


class Vendors(Protocol):
    """Where the practice vendors listen."""

    @property
    def smarthr(self) -> int: ...

    @property
    def freee(self) -> int: ...


@dataclass
class Api:
    """Awase's own API, as any program would call it."""

    url: str
    key: str = field(repr=False)
    patience: float = 20.0
    """Seconds a reading call waits for a web process that is being started again."""
    session: requests.Session = field(default_factory=local_session, repr=False)

    def get(self, path: str, **query: Any) -> Any:
        """Raises DemoError, requests.RequestException."""
        end = time.monotonic() + self.patience
        while True:
            try:
                return self._answer(self.session.get(self.url + path, params=query, headers=self.headers, timeout=30))
            except requests.ConnectionError:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.3)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Raises DemoError, requests.RequestException."""
        return self._answer(self.session.post(self.url + path, json=body, headers=self.headers, timeout=30))

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        after: int | None = None
        while True:
            page = self.get(path, limit=100, **query, **({} if after is None else {"after": after}))
            yield from page["items"]
            after = page["next_after"]
            if after is None:
                return

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    @staticmethod
    def _answer(response: requests.Response) -> Any:
        if not response.ok:
            raise DemoError(f"API {response.status_code}: {response.text[:500]}")
        return response.json()


@dataclass(frozen=True)
class Told:
    """One finished run as the demo saw it."""

    run: Mapping[str, Any]
    items: tuple[Mapping[str, Any], ...]
    writes: int
    """Requests other than GET that the practice vendors received."""
    mails: tuple[EmailMessage, ...]


def show(url: str, connection: str, api_key: str, *, mailbox: Path, vendors: Vendors) -> int:
    """Run both directions twice. Returns 0 when every outcome was the expected one, 1 otherwise."""
    api = Api(url, api_key)
    problems: list[str] = []
    for direction, title in DIRECTIONS.items():
        print(f"\n━━ {title} ━━")
        first = tell(api, connection, direction, mailbox=mailbox, vendors=vendors)
        report(first, with_mail=True)
        problems += check_first(first, direction)
        print(f"\n── もう一度: {title} ──")
        second = tell(api, connection, direction, mailbox=mailbox, vendors=vendors)
        report(second, with_mail=False)
        problems += check_second(second)
    print("\n" + ("すべて予定どおりの結果です。" if not problems else "予定と違う結果があります:"))
    for problem in problems:
        print(f"  × {problem}")
    return 1 if problems else 0


def tell(api: Api, connection: str, direction: str, *, mailbox: Path, vendors: Vendors) -> Told:
    """Start a run, follow it to its end, and collect what it left behind."""
    writes_before = count_writes(vendors)
    mails_before = set(mailbox.glob("*.eml"))
    run = api.post(
        "/api/v1/runs",
        {
            "connection": connection,
            "direction": direction,
            "as_of_date": (datetime.now(UTC) + JAPAN).date().isoformat(),
            "employees": "all",
            "dry_run": False,
            "acknowledge_mass_change": True,
        },
    )
    run = follow(api, run["id"])
    mails = await_mail(mailbox, mails_before)
    items = tuple(api.pages(f"/api/v1/runs/{run['id']}/items"))
    return Told(run, items, count_writes(vendors) - writes_before, mails)


def follow(api: Api, run_id: str) -> dict[str, Any]:
    """Poll with a progress bar until the run is over."""
    end = time.monotonic() + RUN_TIMEOUT_SECONDS
    with tqdm(leave=False, disable=None, bar_format="{desc} {n_fmt}/{total_fmt} {bar} {elapsed}") as bar:
        while time.monotonic() < end:
            run: dict[str, Any] = api.get(f"/api/v1/runs/{run_id}")
            progress = run["progress"]
            bar.total, bar.n = progress["total"], progress["done"]
            bar.set_description_str(run["state"])
            if run["state"] in FINAL:
                return run
            time.sleep(0.2)
    raise DemoError(f"run {run_id} が {RUN_TIMEOUT_SECONDS // 60} 分たっても終わりません")


def await_mail(mailbox: Path, before: set[Path]) -> tuple[EmailMessage, ...]:
    """The mails that came since `before`; waits for the first and a little longer, so that a second would be seen."""
    end = time.monotonic() + MAIL_TIMEOUT_SECONDS
    while time.monotonic() < end and set(mailbox.glob("*.eml")) == before:
        time.sleep(0.1)
    time.sleep(1)
    files = sorted(set(mailbox.glob("*.eml")) - before)
    return tuple(email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files)


def count_writes(vendors: Vendors) -> int:
    """How many requests other than reads both practice vendors have answered so far (tokens are not records)."""
    total = 0
    for port in (vendors.smarthr, vendors.freee):
        with local_session() as session:
            log = session.get(f"http://127.0.0.1:{port}/_practice/requests", timeout=30).json()["requests"]
        total += sum(row["method"] != "GET" and "/public_api/" not in row["path"] for row in log)
    return total


def report(told: Told, *, with_mail: bool) -> None:
    run = told.run
    took = datetime.fromisoformat(run["finished_at"]) - datetime.fromisoformat(run["created_at"])
    people: Counter[str] = Counter()
    for state, label in LABELS.items():  # 要確認 has two states
        people[label] += run["counts"].get(state, 0)
    counts = "  ".join(f"{label} {number}" for label, number in people.items())
    calls = run["vendor_calls"]
    print(f"run         {run['id']}  {run['state']}")
    print(f"結果        {counts}")
    print(f"API呼び出し  SmartHR {calls['smarthr']}  freee人事労務 {calls['freee']}  うち書き込み {told.writes}")
    print(f"所要時間    {took.total_seconds():.1f} 秒")
    if with_mail:
        for mail in told.mails:
            print(f"\n  │ Subject: {mail['Subject']}\n  │ To: {mail['To']}\n  │")
            text = mail.get_body(("plain",))
            body = text.get_content() if text is not None else ""
            print("\n".join(f"  │ {line}" for line in body.splitlines()))


def check_first(told: Told, direction: str) -> list[str]:
    """The problems of a first run: as many items in each state as the staff's stories say, no others, and one mail."""
    problems = [] if len(told.mails) == 1 else [f"{direction}: {len(told.mails)} 通のメール（1通のはず）"]
    expected = practice_company.expected_counts(direction, told.run["progress"]["total"])
    got = Counter(item["state"] for item in told.items)
    return problems + [
        f"{direction}: {LABELS.get(state, state)} {got.get(state, 0)} 件（予定 {expected.get(state, 0)} 件）"
        for state in sorted(set(expected) | set(got))
        if expected.get(state, 0) != got.get(state, 0)
    ]


def check_second(told: Told) -> list[str]:
    problems = [] if told.writes == 0 else [f"2回目に {told.writes} 件の書き込み（0件のはず）"]
    succeeded = told.run["counts"].get("succeeded", 0)
    if succeeded:
        problems.append(f"2回目に {succeeded} 件が変更された（0件のはず）")
    if len(told.mails) != 1:
        problems.append(f"2回目に {len(told.mails)} 通のメール（1通のはず）")
    return problems
