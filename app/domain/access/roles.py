"""Who may do what on the screens: four roles, and what each of them is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Permission(StrEnum):
    SEE_RUNS = "see_runs"  # runs, counts, causes: nothing personal
    SEE_PEOPLE = "see_people"  # numbers, names, values before and after, mails
    SEE_MASKED = "see_masked"  # bank accounts, insurance numbers, standard incomes in plain
    RUN_SYNC = "run_sync"  # start, choose, approve, retry, cancel, undo
    DECIDE_SECOND = "decide_second"  # approve or decline, as the second person, what waits for one
    DECIDE_ALONE = "decide_alone"  # the emergency way, with a reason that all administrators are told
    MEND_LINKS = "mend_links"
    SET_UP = "set_up"  # connections, export settings, automatic sync
    SEE_ENGINE = "see_engine"
    OPERATE = "operate"  # replay, requeue, pause and resume
    MANAGE_PEOPLE = "manage_people"  # users, invitations, the audit trail


class Role(StrEnum):
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"
    OPS = "ops"

    @property
    def label(self) -> str:
        return _LABELS[self]

    @property
    def permissions(self) -> frozenset[Permission]:
        return _ALLOWED[self]


_LABELS: Mapping[Role, str] = {
    Role.ADMIN: "管理者",
    Role.MEMBER: "担当者",
    Role.VIEWER: "閲覧者",
    Role.OPS: "運用",
}
_READS = frozenset({Permission.SEE_RUNS, Permission.SEE_PEOPLE})
_ALLOWED: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.MEMBER: _READS | {Permission.SEE_MASKED, Permission.RUN_SYNC, Permission.DECIDE_SECOND, Permission.MEND_LINKS},
    Role.VIEWER: _READS,
    # An operator looks after the machine and never sees an employee's number, name or value.
    Role.OPS: frozenset({Permission.SEE_RUNS, Permission.SEE_ENGINE, Permission.OPERATE}),
}
