"""What each cause blames: the items of a person, or the settings, of which a change may end it.

An outcome names items itself where it can (the keys of its notes). Beside them, a code says here what it blames
whichever notes it has. So whoever learns that an item of a person, or a setting, has changed can tell which of the
open causes may be gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.mapping import FIELDS

NAMES = ("last_name", "first_name", "last_name_kana", "first_name_kana", "birth_date", "gender")
BANK = tuple(row.key for row in FIELDS if row.group == "bank")
INCOMES = ("health_standard_income", "pension_standard_income")


class Setting(StrEnum):
    """What a person changes outside the record of an employee."""

    EXPORT_SETTINGS = "export_settings"  # of the connection
    OPTIONS = "options"  # other settings of the connection: items, policies, blank rules
    SMARTHR_TOKEN = "smarthr_token"  # noqa: S105 - the name of a setting
    CONSENT = "consent"  # freee's consent, and the rights of whoever gave it
    PAUSE = "pause"  # the connection works or is paused
    VENDOR = "vendor"  # contracts, restrictions and masters in SmartHR or freee
    LINK = "link"  # a person's decision who is whom
    MACHINE = "machine"  # the machines and networks on which Awase runs


@dataclass(frozen=True)
class Blames:
    """`items`: keys of FIELDS. `whole`: any change of the person's records may help, because nothing narrower is
    known."""

    items: frozenset[str] = frozenset()
    settings: frozenset[Setting] = frozenset()
    whole: bool = field(default=False)
    refused: bool = field(default=False)
    """A vendor has refused one of the values, without saying which."""

    @property
    def is_refused_value(self) -> bool:
        """Whether the same values would be refused again. False where a moment, or what lies outside the person's
        records, may be to blame."""
        return bool(self.items) or self.refused


def blames_of(code: str, keys: Collection[str] = ()) -> Blames:
    """What a cause blames. `keys`: the items that the outcome itself names."""
    items, settings = _OF_CODES.get(code, ((), ()))
    named = frozenset(items) | frozenset(keys)
    return Blames(named, frozenset(settings), whole=not named and not settings, refused=code == _REFUSED)


_REFUSED = "E17"
_NUMBER = (("employee_number",), (Setting.LINK,))
_WHO = (("employee_number", *NAMES), (Setting.LINK,))
_DATES = (("hired_on", "resigned_on"), ())
_TOKEN = ((), (Setting.SMARTHR_TOKEN,))
_EXPORT = ((), (Setting.EXPORT_SETTINGS, Setting.VENDOR))
_ACCESS = ((), (Setting.CONSENT, Setting.SMARTHR_TOKEN))
_OUTSIDE = ((), (Setting.VENDOR,))
_MACHINE = ((), (Setting.MACHINE,))

_OF_CODES: Mapping[str, tuple[Collection[str], Collection[Setting]]] = {
    "E1": (("hired_on",), ()),
    "E2": (NAMES, ()),
    "E3": _OUTSIDE,
    "E4": _EXPORT,
    "E5": _EXPORT,
    "E6": _EXPORT,
    "E7": _WHO,
    "E8": _NUMBER,
    "E13": _DATES,
    "E14": _OUTSIDE,
    "E15": _TOKEN,
    "E18": _ACCESS,
    "E19": _ACCESS,
    "E20": ((), (Setting.LINK,)),
    "bank_incomplete": (BANK, ()),
    "connection_paused": ((), (Setting.PAUSE,)),
    "export_settings_missing": ((), (Setting.EXPORT_SETTINGS,)),
    "hidden_person": _WHO,
    "ip_not_permitted": _OUTSIDE,
    "link_ambiguous": _WHO,
    "linked_elsewhere": ((), (Setting.LINK,)),
    "master_unreadable": _OUTSIDE,
    "needs_consent": ((), (Setting.CONSENT,)),
    "new_person_unreadable": _TOKEN,
    "not_readable": _TOKEN,
    "not_the_vendor": _MACHINE,
    "number_not_free_yet": _NUMBER,
    "number_swapped": _WHO,
    "numbers_swapped": _NUMBER,
    "person_left": _DATES,
    "plan_limit": _OUTSIDE,
    "poisoned": _MACHINE,
    "record_hidden": _DATES,
    "refresh_unknown": ((), (Setting.CONSENT,)),
    "rehired": (("hired_on", "resigned_on", "employee_number"), (Setting.LINK,)),
    "relink_offered": ((), (Setting.LINK,)),
    "smarthr_subdomain_inactive": _TOKEN,
    "source_deleted": ((), (Setting.LINK,)),
    "standard_income_missing": (INCOMES, ()),
    "target_wins": ((), (Setting.OPTIONS,)),
    "unknown_position": (("title",), (Setting.OPTIONS, Setting.VENDOR)),
}
