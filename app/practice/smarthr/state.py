"""The SmartHR tenant's data in memory: crews, masters, webhooks; what a write stores and how a crew looks when read."""

from __future__ import annotations

import copy
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from app.practice.smarthr.fields import READABLE, WRITABLE
from app.practice.smarthr.rules import BANK_PARTS, SLOTS, address_to_store
from app.practice.staff.forms import stable_id
from app.practice.staff.practice_company import PracticeCompany
from app.practice.vendor_kit.kept_lists import KeptLists

Record = dict[str, Any]
LEAVES = "leaves_by_itself"
"""Stored with a crew, never shown: the 退職年月日 after which the tenant itself sets 退職済."""

_JAPAN = timedelta(hours=9)
_FLIP_HOUR = timedelta(hours=1)
_MASTERS = {"recruitment_type": ("preset_type",), "grade": ("rank",), "job_category": ()}
_OFFICE = stable_id("biz_establishment/1")


class SmartHRState:
    """Everything the tenant holds. A caller takes `lock` around reads and writes that belong together.

    A stored crew has the vendor's attribute names; masters are kept as ids: `position_ids`, `department_ids` (slots,
    None = empty), `employment_type_id`, `payment_period_id`.
    """

    def __init__(self, company: PracticeCompany, *, clock: Callable[[], float] = time.time) -> None:
        self.lock = threading.RLock()
        self._company = company
        self._clock = clock
        self.load()

    def load(self) -> None:
        """Put the tenant's data back to the company's first day."""
        with self.lock:
            started = self.stamp(-86_400)
            self.job_titles = {each["id"]: _stamped(each, started) for each in self._company.job_titles}
            self.employment_types = {each["id"]: _stamped(each, started) for each in self._company.employment_types}
            self.departments: dict[str, Record] = {}
            self.payment_periods = {
                stable_id(f"payment_period/{kind}"): {"name": name, "period_type": kind}
                for kind, name in (("monthly", "月給"), ("daily", "日給"), ("hourly", "時給"))
            }
            self.bank_account_settings = [_setting(number, started) for number in range(1, 5)]
            self.webhooks: dict[str, Record] = {}
            self.crews: KeptLists[str, Record] = KeptLists()
            self._former: dict[tuple[str, str], list[Any]] = {}
            for seconds, crew in enumerate(copy.deepcopy(self._company.crews)):
                self._load_crew(crew, self.stamp(seconds - 80_000))
            self._looked_on = ""

    def _load_crew(self, crew: Record, stamp: str) -> None:
        blank: Record = {"id": crew["id"], "created_at": stamp, "updated_at": stamp}
        stored = self.changed(blank, crew, merge_addresses=False)
        stored["updated_at"] = stamp
        self.crews[crew["id"]] = stored

    def stamp(self, offset: float = 0.0) -> str:
        moment = datetime.fromtimestamp(self._clock() + offset, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # ── crews ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def find(self, id_or_number: str) -> Record | None:
        """A stored crew by id, else the first one with that 社員番号."""
        found = self.crews.get(id_or_number)
        if found is None and id_or_number:
            found = next((each for each in self.crews.values() if each.get("emp_code") == id_or_number), None)
        return found

    def create(self, sent: Mapping[str, Any]) -> Record:
        """Store a new crew from a write body that passed the checks (or from a person on the screen)."""
        with self.lock:
            stamp = self.stamp()
            crew_id = str(uuid.uuid4())
            blank: Record = {"id": crew_id, "emp_status": "employed", "created_at": stamp, "updated_at": stamp}
            self.crews[crew_id] = self.changed(blank, sent, merge_addresses=False)
            return self.crews[crew_id]

    def update(self, crew_id: str, sent: Mapping[str, Any], *, merge_addresses: bool, touch: bool = False) -> Record:
        """Store a partial update. `updated_at` moves when something changed, or always with `touch`."""
        with self.lock:
            before = self.crews[crew_id]
            after = self.changed(before, sent, merge_addresses=merge_addresses)
            if touch or after != before:
                after["updated_at"] = self.stamp()
            for name in WRITABLE:
                if after.get(name) != before.get(name):
                    self._former.setdefault((crew_id, name), []).append(_filled(before.get(name)))
            self.crews[crew_id] = after
            return after

    def once_held(self, crew_id: str, name: str, value: Any) -> bool:
        """Whether this crew has had this value before. No form is published for most attributes, and what stands there
        may come from the screen: a tenant takes its own value back."""
        return bool(value) and _filled(value) in self._former.get((crew_id, name), ())

    def changed(self, before: Record, sent: Mapping[str, Any], *, merge_addresses: bool) -> Record:
        """The crew as it stands after the write; creates masters that are named but unknown."""
        after = dict(before)
        for name, value in sent.items():
            kind = WRITABLE.get(name)
            if kind == "address":
                after[name] = address_to_store(value, before.get(name), merge=merge_addresses) if value else None
            elif kind == "master":
                after[name] = self._named_master(name, value) if value else None
            elif kind == "attachment":
                after[name] = {"file_name": value["file_name"], "url": "about:blank"} if value else None
            elif name == "emp_type":
                after["employment_type_id"] = stable_id(f"employment_type/{value}") if value else None
            elif kind == "special":
                self._change_special(after, name, value)
            elif kind is not None:
                after[name] = value
        if after.get("resigned_at") != before.get("resigned_at"):
            day = after["resigned_at"]
            after[LEAVES] = day if day and day >= self.today else None
        return after

    def leave_due(self) -> list[Record]:
        """Set 在籍状況 to 退職済 at 01:00 in Japan on the day after a 退職年月日 that was not past when entered.

        Returns the crews that it changed. It looks once a day.
        """
        today = (self._japan() - _FLIP_HOUR).date().isoformat()
        with self.lock:
            if today == self._looked_on:
                return []
            self._looked_on = today
            due = [each for each in self.crews.values() if each.get(LEAVES) and each[LEAVES] < today]
            for crew in due:
                crew[LEAVES] = None
            flipped = [each for each in due if each.get("emp_status") != "retired"]
            return [self.update(each["id"], {"emp_status": "retired"}, merge_addresses=True) for each in flipped]

    @property
    def today(self) -> str:
        """The day in Japan, `YYYY-MM-DD`."""
        return self._japan().date().isoformat()

    def first_crews(self) -> list[Record]:
        """Everybody as the company began, in the write form."""
        return copy.deepcopy(self._company.crews)

    def _japan(self) -> datetime:
        """The clock on the wall in Japan, without a zone."""
        return datetime.fromtimestamp(self._clock(), UTC).replace(tzinfo=None) + _JAPAN

    def _change_special(self, after: Record, name: str, value: Any) -> None:
        if name == "position":
            rest = after.get("position_ids", [None])[1:]
            after["position_ids"] = [self._job_title(value), *rest]
        elif name == "positions":
            after["position_ids"] = [self._job_title(each) for each in value or []]
        elif name == "department":
            after["department_ids"] = [self._top_department(value)]
        elif name == "department_ids":
            after["department_ids"] = list(value or [])
        elif name == "bank_accounts":
            after["bank_accounts"] = self._accounts(value or [])
        elif name in ("employment_type_id", "payment_period_id"):
            after[name] = value

    def _job_title(self, name: str | None) -> str | None:
        """The id of the 役職 with this name; an unknown one becomes an entry of the master."""
        if not name:
            return None
        found = next((each["id"] for each in self.job_titles.values() if each["name"] == name), None)
        if found is None:
            found = self.add_master(self.job_titles, {"name": name, "rank": None, "code": None})["id"]
        return str(found)

    def _top_department(self, name: str | None) -> str | None:
        if not name:
            return None
        found = next((each["id"] for each in self.departments.values() if each["name"] == name), None)
        return str(found) if found else str(self.add_master(self.departments, {"name": name, "code": None})["id"])

    def add_master(self, master: dict[str, Record], values: Mapping[str, Any]) -> Record:
        stamp = self.stamp()
        entry = {"id": str(uuid.uuid4()), **values, "created_at": stamp, "updated_at": stamp}
        if master is self.departments:
            place = entry.get("position") or len(master) + 1
            entry = {**entry, "position": place, "full_name": entry["name"], "parent": None, "children": []}
        master[entry["id"]] = entry
        return entry

    def touch(self, entry: Record, values: Mapping[str, Any]) -> Record:
        """Change an entry of a master or a webhook."""
        entry.update(values)
        if "full_name" in entry:
            entry["full_name"] = entry["name"]
        entry["updated_at"] = self.stamp()
        return entry

    def _named_master(self, kind: str, name: str) -> Record:
        extra = dict.fromkeys(_MASTERS[kind])
        stamp = self.stamp()
        return {"id": stable_id(f"{kind}/{name}"), "name": name, **extra, "created_at": stamp, "updated_at": stamp}

    def _accounts(self, sent: Iterable[Mapping[str, Any]]) -> list[Record]:
        """The accounts to store, which replace the whole list.

        Entries without setting ids belong to the enabled settings by their position.
        """
        enabled = [each["id"] for each in self.bank_account_settings if each["enabled"]]
        accounts = []
        for place, entry in enumerate(sent):
            setting = entry.get("bank_account_setting_id") or (enabled[place] if place < len(enabled) else None)
            kept = {part: entry.get(part) for part in BANK_PARTS if part != "bankbook_image"}
            accounts.append({**kept, "bankbook_image": None, "bank_account_setting_id": setting})
        return accounts

    # ── how a crew looks ──────────────────────────────────────────────────────────────────────────────────────────

    def shown(self, crew: Record) -> Record:
        """A stored crew in the form of an answer: every attribute, null where nothing is known."""
        looks = {name: crew.get(name) for name in READABLE}
        employment_type = self.employment_types.get(crew.get("employment_type_id") or "")
        positions = self._slots(crew.get("position_ids"), self.job_titles)
        departments = self._slots(crew.get("department_ids"), self.departments)
        looks.update(
            biz_establishment_id=crew.get("biz_establishment_id") or _OFFICE,
            employment_type=_picked(employment_type, ("id", "name", "preset_type", "code")),
            emp_type=employment_type["preset_type"] if employment_type else None,
            payment_period=self._payment_period(crew.get("payment_period_id")),
            positions=[_picked(each, ("id", "name", "rank", "code", "created_at")) for each in positions],
            position=positions[0]["name"] if positions[0] else None,
            departments=departments,
            department=departments[0]["full_name"] if departments[0] else None,
            bank_accounts=crew.get("bank_accounts") or [],
            custom_fields=crew.get("custom_fields") or [],
            profile_images=[],
            id=crew["id"],
            created_at=crew["created_at"],
            updated_at=crew["updated_at"],
        )
        for part in ("last_name", "first_name", "last_name_yomi", "first_name_yomi"):
            looks[f"preferred_{part}"] = crew.get(f"business_{part}") or crew.get(part)
        return looks

    @staticmethod
    def _slots(ids: list[str | None] | None, master: Mapping[str, Record]) -> list[Record | None]:
        """Three slots; an empty one is null."""
        filled = [master.get(each) if each else None for each in ids or []]
        return (filled + [None] * SLOTS)[:SLOTS]

    def _payment_period(self, period_id: str | None) -> Record | None:
        found = self.payment_periods.get(period_id or "")
        return {"id": period_id, **found} if found else None

    def dump(self) -> dict[str, Any]:
        """Everything, for tests and for people: crews as they look in an answer."""
        with self.lock:
            return {
                "crews": [self.shown(each) for each in self.crews.values()],
                "job_titles": list(self.job_titles.values()),
                "departments": list(self.departments.values()),
                "employment_types": list(self.employment_types.values()),
                "bank_account_settings": self.bank_account_settings,
                "webhooks": list(self.webhooks.values()),
            }

    # ── across restarts ───────────────────────────────────────────────────────────────────────────────────────────

    def kept(self) -> Record:
        """Everything as it is stored."""
        return {name: getattr(self, name) for name in _EVERYTHING}

    def take(self, kept: Mapping[str, Any]) -> None:
        """Take over everything from `kept`. Raises KeyError or TypeError, and then nothing has changed."""
        taken = {name: type(getattr(self, name))(kept[name]) for name in _EVERYTHING}
        for crew_id, crew in taken["crews"].items():
            if crew["id"] != crew_id:
                raise KeyError(crew_id)
            self.shown(crew)
        for name, value in taken.items():
            setattr(self, name, value)
        self._looked_on = ""


_EVERYTHING = (
    *("crews", "job_titles", "departments", "employment_types", "payment_periods", "bank_account_settings", "webhooks"),
)


def _filled(value: Any) -> Any:
    """A value without the parts that are not set, in which its stored and its written form differ."""
    if isinstance(value, list):
        return [_filled(each) for each in value]
    if isinstance(value, Mapping):
        return {name: part for name, part in value.items() if part not in (None, "")}
    return value


def _picked(entry: Record | None, names: Iterable[str]) -> Record | None:
    return {name: entry.get(name) for name in names} if entry else None


def _stamped(entry: Mapping[str, Any], stamp: str) -> Record:
    return {**entry, "created_at": stamp, "updated_at": stamp}


def _setting(number: int, stamp: str) -> Record:
    """口座設定 1 to 4, of which the first two are in use."""
    return {
        "id": stable_id(f"bank_account_setting/{number}"),
        "name": f"口座{number}",
        "enabled": number <= 2,
        "number": number,
        "preset_type": "salary" if number == 1 else None,
        "created_at": stamp,
        "updated_at": stamp,
    }
