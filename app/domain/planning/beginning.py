"""When automatic sync begins with a preview: which changes of the settings make the next comparison one. Pure.

The question per direction: may the plan of somebody who is there already become another one, although nobody has
changed a value? Then a person sees the plans before the first of them is written.

====================================================  =========================================================
change                                                begins with a preview
====================================================  =========================================================
off → on                                              every direction that is on now (`SWITCHED_ON`)
one way → both, or → the other way                    the new direction (`DIRECTION_WIDENED`)
both → one way, a policy names its source             the direction that stays (`POLICY_CHANGED`): what changes at the
                                                      target no longer travels back, it is mended
both → one way otherwise, → off                       nothing: less is written
the connection's policy, an item's policy             every direction (`POLICY_CHANGED`), if an exchanged item has
                                                      another policy by it
an excluded item is exchanged again                   every direction (`ITEM_INCLUDED`)
an item is excluded                                   nothing: less is written
what a blank does                                     every direction (`BLANK_RULE_CHANGED`), if it is another rule for
                                                      an exchanged item
building as part of the address, new positions        every direction (`OPTIONS_CHANGED`)
"cleared for everybody" is answered                   the direction from that system (`CLEARED_FOR_ALL`): its blanks
                                                      erase from now on
another token that shows more                         every direction (`TOKEN_SHOWS_MORE`)
the database is adopted by another installation       every direction (`ADOPTED`): what was written since the copy
                                                      was made is not known
export settings                                       nothing: they are used only when freee creates somebody
quiet window, interval, mails, names, a pause         nothing: no plan depends on them
====================================================  =========================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from app.domain.enums import Direction, System
from app.domain.mapping import BY_KEY, FIELDS
from app.domain.settings.connection_settings import Automatic, BlankPolicy, ConflictPolicy, Connection

_ITEMS = tuple(row.key for row in FIELDS)
_NAMES_SOURCE: Mapping[Direction, ConflictPolicy] = {
    Direction.SMARTHR_TO_FREEE: ConflictPolicy.SMARTHR_WINS,
    Direction.FREEE_TO_SMARTHR: ConflictPolicy.FREEE_WINS,
}


class BeginReason(StrEnum):
    """Why the automatic sync of a direction begins with a preview."""

    SWITCHED_ON = "switched_on"
    DIRECTION_WIDENED = "direction_widened"
    POLICY_CHANGED = "policy_changed"
    ITEM_INCLUDED = "item_included"
    BLANK_RULE_CHANGED = "blank_rule_changed"
    OPTIONS_CHANGED = "options_changed"
    CLEARED_FOR_ALL = "cleared_for_all"
    TOKEN_SHOWS_MORE = "token_shows_more"  # noqa: S105 (no password)
    UPGRADE = "upgrade"
    ADOPTED = "adopted"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    BeginReason.SWITCHED_ON: "自動同期をオンにしたためです。",
    BeginReason.DIRECTION_WIDENED: "自動同期の向きを変えたためです。",
    BeginReason.POLICY_CHANGED: "競合したときの扱いを変えたためです。",
    BeginReason.ITEM_INCLUDED: "同期する項目を増やしたためです。",
    BeginReason.BLANK_RULE_CHANGED: "空欄の扱いを変えたためです。",
    BeginReason.OPTIONS_CHANGED: "建物名か役職の反映のしかたを変えたためです。",
    BeginReason.CLEARED_FOR_ALL: "全員の値を削除したと答えたためです。",
    BeginReason.TOKEN_SHOWS_MORE: "アクセストークンで読める項目が増えたためです。",
    BeginReason.ADOPTED: "データベースを写しから引き継いだためです。",
    BeginReason.UPGRADE: "この製品の更新で、反映先だけの変更も直すようになったためです。",
}


def beginnings_by(before: Connection, after: Connection) -> dict[Direction, BeginReason]:
    """The directions whose next comparison is a preview because of this change of the settings."""
    had, has = before.automatic.directions, after.automatic.directions
    widened = BeginReason.DIRECTION_WIDENED if had else BeginReason.SWITCHED_ON
    found = {direction: widened for direction in has if direction not in had}
    for direction in has:
        if direction in had and (reason := _why(before, after, direction)):
            found[direction] = reason
    return found


def shows_more(before: Connection, shown: Iterable[str]) -> bool:
    """Whether a SmartHR token shows attributes that Awase could not read until now."""
    return bool(set(shown) - before.readable(System.SMARTHR))


def _why(before: Connection, after: Connection, direction: Direction) -> BeginReason | None:
    policies = {key: _policy(after, key) for key in _exchanged(after)}
    narrowed = before.automatic is Automatic.BOTH and after.automatic is not Automatic.BOTH
    if any(_policy(before, key) is not policy for key, policy in policies.items()):
        return BeginReason.POLICY_CHANGED
    if narrowed and _NAMES_SOURCE[direction] in policies.values():
        return BeginReason.POLICY_CHANGED
    if set(_exchanged(after)) - set(_exchanged(before)):
        return BeginReason.ITEM_INCLUDED
    if any(_blank(before, key) is not _blank(after, key) for key in _exchanged(after)):
        return BeginReason.BLANK_RULE_CHANGED
    if (before.include_building, before.create_positions) != (after.include_building, after.create_positions):
        return BeginReason.OPTIONS_CHANGED
    return None


def _exchanged(connection: Connection) -> list[str]:
    return [key for key in _ITEMS if key not in connection.excluded]


def _policy(connection: Connection, key: str) -> ConflictPolicy:
    return connection.conflict_policies.get(BY_KEY[key].group or key, connection.conflict_policy)


def _blank(connection: Connection, key: str) -> BlankPolicy:
    return connection.blank_policies.get(key, BY_KEY[key].blank)
