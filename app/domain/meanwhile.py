"""What else moved at a vendor while one request was on its way: the reading before it compared with its answer. Pure.

Neither vendor writes on a condition ("only if it still is as I have read it"). So an edit that somebody makes at the
vendor's screen between our reading and our write is seen in one of two ways. What the request did not carry stays, and
the answer shows the new value. What the request carried because the vendor takes it only as a whole is replaced by what
we have read, and then no answer shows that there was another value: what can be known is how long the window was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.domain import writing
from app.domain.employee import Record
from app.domain.enums import Step, System
from app.domain.mapping import BY_KEY, FIELDS
from app.domain.planning.plan import Change, Note, Severity
from app.domain.settings.connection_settings import MappingOptions

MOVED = "moved_meanwhile"
"""Code of the error catalogue: somebody else changed the item while we wrote; the change is kept."""
PERHAPS_PUT_BACK = "perhaps_put_back"
"""Code of the error catalogue: the window was long, and an edit of these items in it may have been put back."""

LONG = 2.0
"""Seconds from our reading to the answer of our write, from which on people are told. A pair of ordinary requests takes
less."""

CARRIED: Mapping[Step, str] = {
    Step.EMPLOYEE: "employee",
    Step.PROFILE: "profile_rule",
    Step.HEALTH_INSURANCE: "health_insurance_rule",
    Step.PENSION_INSURANCE: "welfare_pension_insurance_rule",
    Step.BANK_ACCOUNT: "bank_account_rule",
}
"""What each request to freee carries as a whole."""
_SMARTHR_OBJECTS = ("address", "resident_card_address", "bank_account")
_SMARTHR_WHOLE = ("address", "resident_card_address", "bank_accounts")

OTHER_ITEMS: Mapping[str, str] = {
    "employee": "従業員番号・従業員名・生年月日・入社日・退職日・基礎年金番号・雇用保険の被保険者番号",
    "profile_rule": "本人情報（姓名・住所・電話番号・雇用形態・肩書・世帯主など）",
    "health_insurance_rule": "健康保険",
    "welfare_pension_insurance_rule": "厚生年金保険",
    "bank_account_rule": "給与振込口座1",
    "address": "現住所",
    "resident_card_address": "住民票住所",
    "bank_accounts": "口座情報",
    "display_name": "従業員名",
    "emp_status": "在籍状況",
    "position": "役職",
    "profile_rule.employment_type": "雇用形態",
    "profile_rule.email": "メールアドレス",
    "profile_rule.householder": "世帯主の続柄",
    "profile_rule.householder_name": "世帯主の名前",
    "bank_account_rule.bank_name": "金融機関名",
    "bank_account_rule.bank_name_kana": "金融機関名カナ",
    "bank_account_rule.branch_name": "支店名",
    "bank_account_rule.branch_name_kana": "支店名カナ",
    "health_insurance_rule.entried": "健康保険の加入",
    "health_insurance_rule.health_insurance_qualification_required": "資格確認書の発行",
    "welfare_pension_insurance_rule.entried": "厚生年金保険の加入",
    "address.country_number": "現住所の国",
    "resident_card_address.country_number": "住民票住所の国",
}
"""Vendor path → Japanese name, of what a note can name beside the items of FIELDS. The pages have the English."""

_COMPUTED: Mapping[str, tuple[str, ...]] = {
    "resigned_on": ("emp_status",),
    "title": ("position",),
    "last_name": ("profile_rule.householder_name", "display_name"),
    "first_name": ("profile_rule.householder_name", "display_name"),
    "bank_code": ("bank_account_rule.bank_name", "bank_account_rule.bank_name_kana"),
    "bank_branch_code": ("bank_account_rule.branch_name", "bank_account_rule.branch_name_kana"),
}
"""Key of a written item → paths that the vendor changes along with it."""
_OWN_NUMBERS = ("id", "company_id", "employee_id")
_PREMIUMS = ("manual_", "_calc_type")
"""Parts of the names of the premiums, which freee works out from the standard income."""


def notes_of_answer(
    system: System, changes: Sequence[Change], before: Record, after: Record, options: MappingOptions
) -> list[Note]:
    """A note for each item that the changes were not to write and that the answer shows otherwise than the reading."""
    meant = _meant(system, changes, before, options)
    old, new = _flat(before), _flat(after)
    moved = sorted(
        path
        for path in old.keys() | new.keys()
        if _unlike(old.get(path), new.get(path)) and path not in meant and not _is_computed(path)
    )
    return [Note(MOVED, Severity.INFO, key) for key in dict.fromkeys(_key(system, path) for path in moved)]


def notes_of_window(
    system: System, step: Step, changes: Sequence[Change], before: Record, options: MappingOptions, *, seconds: float
) -> list[Note]:
    """A note for each object that the request carried as a whole, when its window was long."""
    if seconds < LONG:
        return []
    if system is System.FREEE:
        return [Note(PERHAPS_PUT_BACK, Severity.INFO, CARRIED[step])]
    sent = _sent(system, changes, before, options)
    return [Note(PERHAPS_PUT_BACK, Severity.INFO, name) for name in _SMARTHR_WHOLE if sent.get(name) is not None]


def notes_of_lost_answer(system: System, keys: Iterable[str]) -> list[Note]:
    """A note for each object of which an earlier attempt has carried these items, and whose answer was lost: nobody
    knows when the vendor carried that request out."""
    if system is System.FREEE:
        carried = [CARRIED[BY_KEY[key].step] for key in keys]
    else:
        names = (BY_KEY[key].smarthr.paths[0].partition(".")[0] for key in keys)
        carried = ["bank_accounts" if name == "bank_account" else name for name in names if name in _SMARTHR_OBJECTS]
    return [Note(PERHAPS_PUT_BACK, Severity.INFO, name) for name in dict.fromkeys(carried)]


def _sent(system: System, changes: Sequence[Change], before: Record, options: MappingOptions) -> dict[str, Any]:
    """The vendor's names and values of the request, as the gateway builds it."""
    refused = writing.unwritable(system, changes, before, options)
    steps = writing.encode(system, [each for each in changes if each.key not in refused], before, options)
    return {path: value for values in steps.values() for path, value in values.items()}


def _meant(system: System, changes: Sequence[Change], before: Record, options: MappingOptions) -> set[str]:
    """The paths that the request was to change, and those that change along with them."""
    sent, held = _sent(system, changes, before, options), _flat(before)
    paths = {path for path, value in _flat(sent).items() if _unlike(value, held.get(path))}
    paths |= {path for name in sent if sent[name] is None for path in held if path.startswith(f"{name}.")}
    for change in changes:
        paths |= {*BY_KEY[change.key].place(system).paths, *_COMPUTED.get(change.key, ())}
    return paths | ({"bank_accounts"} if any(path.startswith("bank_account.") for path in paths) else set())


def _is_computed(path: str) -> bool:
    name = path.rpartition(".")[2]
    return name in _OWN_NUMBERS or any(part in name for part in _PREMIUMS)


def _key(system: System, path: str) -> str:
    """The item of FIELDS at this path; else the path."""
    return next((row.key for row in FIELDS if path in row.place(system).paths), path)


_PLAIN = frozenset({str, int, bool, float, list, type(None)})


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted path → value; lists stay as they are. Freee's paths are dotted already in what is sent."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if type(value) not in _PLAIN and isinstance(value, Mapping):  # asking for the type is much quicker
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _unlike(one: object, other: object) -> bool:
    return one != other and not (_is_blank(one) and _is_blank(other))


def _is_blank(value: object) -> bool:
    return value in (None, "") or (isinstance(value, Iterable) and not isinstance(value, str) and not any(value))
