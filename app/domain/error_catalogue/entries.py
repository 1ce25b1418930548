"""The error catalogue as data: every code, and who has to act.

What happened, why, and what to do stands under the code in `app/web/texts/<locale>/causes.toml`, like every other text
for people. E1 to E23 are the errors known of this kind of sync; the other words are our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.domain.enums import System


class Who(StrEnum):
    """Who must act."""

    HR = "hr"  # the data
    RIGHTS = "rights"  # rights, contracts and restrictions in SmartHR or freee
    ADMIN = "admin"  # Awase's settings, consent, tokens
    OPS = "ops"  # the machine that Awase runs on
    SYSTEM = "system"  # nobody: it goes on or is repeated by itself

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Who.HR: "人事労務担当者",
    Who.RIGHTS: "SmartHR・freee人事労務の権限を管理する人",
    Who.ADMIN: "Awaseの管理者",
    Who.OPS: "Awaseの運用担当者",
    Who.SYSTEM: "対応不要（自動で続けます）",
}


@dataclass(frozen=True)
class Entry:
    """One thing that can go wrong, or that is noted with a change.

    `automatic_who`: who must act in automatic runs, where nobody chooses a reference date or looks at a preview; None:
    as in other runs. `towards`: the system in whose runs alone this can happen; None: in any run.
    """

    code: str
    who: Who
    automatic_who: Who | None = None
    towards: System | None = None


_ENTRIES = (
    # ── the errors known of this kind of sync ──
    Entry("E1", Who.HR),
    Entry("E2", Who.HR),
    Entry("E3", Who.RIGHTS),
    Entry("E4", Who.ADMIN),
    Entry("E5", Who.ADMIN),
    Entry("E6", Who.ADMIN),
    Entry("E7", Who.HR),
    Entry("E8", Who.HR),
    Entry("E9", Who.HR),
    Entry("E10", Who.HR),
    Entry("E11", Who.HR),
    Entry("E12", Who.HR),
    Entry("E13", Who.HR),
    Entry("E14", Who.HR),
    Entry("E15", Who.RIGHTS),
    Entry("E16", Who.HR),
    Entry("E17", Who.HR),
    Entry("E18", Who.ADMIN),
    Entry("E19", Who.RIGHTS),
    Entry("E20", Who.HR),
    Entry("E21", Who.SYSTEM),
    Entry("E22", Who.HR, automatic_who=Who.SYSTEM),
    Entry("E23", Who.ADMIN),
    # ── planning and deciding ──
    Entry("not_readable", Who.RIGHTS),
    Entry("new_person_unreadable", Who.RIGHTS),
    Entry("record_hidden", Who.HR),
    Entry("changed_since", Who.HR),
    Entry("cannot_restore", Who.HR),
    Entry("restored_otherwise", Who.HR),
    Entry("target_not_carried", Who.HR),
    Entry("created_not_deleted", Who.HR),
    Entry("target_newer", Who.HR),
    Entry("kept_blank", Who.HR),
    Entry("lossy", Who.HR),
    Entry("bank_incomplete", Who.HR),
    Entry("standard_income_missing", Who.HR, towards=System.FREEE),
    Entry("cannot_clear", Who.HR),
    Entry("target_wins", Who.HR),
    Entry("address_incomplete", Who.HR),
    Entry("conflict", Who.HR),
    Entry("only_target_changed", Who.HR),
    Entry("kept_by_target", Who.HR),
    Entry("stored_otherwise", Who.HR),
    Entry("overwritten_since", Who.HR),
    Entry("moved_meanwhile", Who.HR),
    Entry("perhaps_put_back", Who.HR),
    Entry("keeps_moving", Who.HR),
    Entry("rules_changed", Who.HR),
    Entry("needs_second_person", Who.HR),
    Entry("waits_for_second_person", Who.HR),
    Entry("second_person_declined", Who.HR),
    Entry("second_person_expired", Who.HR),
    Entry("waits_for_decision", Who.HR),
    Entry("change_declined", Who.HR),
    Entry("other_way_waits", Who.HR),
    Entry("approved_plan_changed", Who.HR),
    Entry("creation_declined", Who.HR),
    # ── reading and linking, and who takes part ──
    Entry("unreadable_record", Who.HR),
    Entry("unreadable_in_smarthr", Who.HR),
    Entry("unreadable_in_freee", Who.HR),
    Entry("target_unreadable", Who.HR),
    Entry("list_incomplete", Who.HR),
    Entry("list_incomplete_smarthr", Who.HR),
    Entry("list_incomplete_freee", Who.HR),
    Entry("not_readable_yet", Who.HR),
    Entry("listed_not_shown", Who.HR),
    Entry("master_unreadable", Who.ADMIN),
    Entry("number_swapped", Who.HR),
    Entry("numbers_swapped", Who.HR),
    Entry("number_not_free_yet", Who.HR),
    Entry("link_ambiguous", Who.HR),
    Entry("rehired", Who.HR),
    Entry("source_deleted", Who.HR),
    Entry("relink_offered", Who.HR),
    Entry("hidden_person", Who.HR),
    Entry("linked_elsewhere", Who.HR),
    Entry("create_turn", Who.SYSTEM),
    Entry("employee_vanished", Who.HR),
    Entry("person_left", Who.HR),
    Entry("joins_later", Who.HR),
    Entry("left_before", Who.HR),
    Entry("quarantined", Who.HR),
    Entry("once_only", Who.HR),
    # ── why a value cannot be converted ──
    Entry("gender_unselected", Who.HR),
    Entry("abolished_widow_type", Who.HR),
    Entry("unknown_value", Who.HR),
    Entry("foreign_address", Who.HR),
    Entry("letters_in_number", Who.HR),
    Entry("kana_characters", Who.HR),
    Entry("foreign_phone", Who.HR),
    Entry("unsplittable_phone", Who.HR),
    Entry("digit_count", Who.HR),
    Entry("impossible_date", Who.HR),
    Entry("unsplittable_address", Who.HR, towards=System.SMARTHR),
    Entry("prefecture_contradicts", Who.HR),
    Entry("building_unclear", Who.HR, towards=System.SMARTHR),
    Entry("address_without_city", Who.HR, towards=System.SMARTHR),
    Entry("unknown_position", Who.ADMIN, towards=System.SMARTHR),
    Entry("too_long", Who.HR),
    Entry("position_order", Who.HR, towards=System.SMARTHR),
    Entry("several_positions", Who.HR, towards=System.SMARTHR),
    Entry("out_of_range", Who.HR),
    Entry("wrong_type", Who.HR),
    Entry("not_a_value", Who.HR),
    Entry("not_clearable", Who.HR),
    # ── connections, vendors and our own machinery ──
    Entry("automatic_off", Who.ADMIN),
    Entry("automatic_begins", Who.ADMIN),
    Entry("preview_outdated", Who.ADMIN),
    Entry("preview_replaced", Who.HR),
    Entry("connection_paused", Who.ADMIN),
    Entry("needs_consent", Who.ADMIN),
    Entry("refresh_unknown", Who.ADMIN),
    Entry("webhook_silent", Who.ADMIN),
    Entry("attribute_gone", Who.RIGHTS),
    Entry("export_settings_missing", Who.ADMIN, towards=System.FREEE),
    Entry("unreachable", Who.HR, automatic_who=Who.SYSTEM),
    Entry("unreadable_answer", Who.HR, automatic_who=Who.SYSTEM),
    Entry("not_the_vendor", Who.ADMIN),
    Entry("rate_limited", Who.SYSTEM),
    Entry("vendor_silent", Who.SYSTEM),
    Entry("item_too_long", Who.HR, automatic_who=Who.SYSTEM),
    Entry("throttled", Who.SYSTEM),
    Entry("maintenance", Who.SYSTEM),
    Entry("smarthr_subdomain_inactive", Who.ADMIN),
    Entry("plan_limit", Who.RIGHTS),
    Entry("ip_not_permitted", Who.RIGHTS),
    Entry("database_unavailable", Who.OPS),
    Entry("house_rests", Who.OPS),
    Entry("house_adopted", Who.OPS),
    Entry("stored_value_locked", Who.OPS),
    Entry("passwords_busy", Who.OPS),
    Entry("vendors_busy", Who.OPS),
    Entry("vendors_late", Who.OPS),
    Entry("queue_unavailable", Who.SYSTEM),
    Entry("poisoned", Who.OPS),
    Entry("deadline", Who.HR, automatic_who=Who.SYSTEM),
    Entry("mail_refused", Who.ADMIN),
    Entry("no_recipient", Who.ADMIN),
    Entry("mail_unavailable", Who.SYSTEM),
    Entry("unexpected", Who.ADMIN),
    # ── rules by which a value is changed on its way (`normal_form`, the codecs), and questions where none applies ──
    Entry("rule_invisible", Who.HR),
    Entry("rule_composed", Who.HR),
    Entry("rule_blanks", Who.HR),
    Entry("rule_edges", Who.HR),
    Entry("rule_width", Who.HR),
    Entry("rule_marks", Who.HR),
    Entry("rule_katakana", Who.HR),
    Entry("rule_hyphens", Who.HR),
    Entry("rule_capitals", Who.HR),
    Entry("rule_zeros", Who.HR),
    Entry("rule_yucho", Who.HR),
    Entry("rule_country_code", Who.HR),
    Entry("rule_phone_plan", Who.HR),
    Entry("rule_prefecture", Who.HR),
    Entry("control_signs", Who.HR),
    Entry("private_signs", Who.HR),
    Entry("unusable_signs", Who.HR),
    Entry("kana_hyphen", Who.HR),
    Entry("hyphen_places", Who.HR),
    Entry("yucho_number", Who.HR),
)

CATALOGUE: Mapping[str, Entry] = {entry.code: entry for entry in _ENTRIES}
"""Every code with its entry. Awase stores, shows and mails these codes."""
