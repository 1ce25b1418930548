"""Tables. They hold the truth about every run; Redis only carries jobs to a worker, and may lose them.

`*_enc` columns hold Fernet tokens (see `vault`). Instants are UTC. Closed lists that decide (states) are enums, stored
by value. The tables of access (keys, users, single uses) are in `access_models`, those of the automatic sync (webhooks
and what follows from them) in `automatic_models`, what has to leave in `outgoing_models`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.enums import Direction, Step, System, Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.storage.enums import (
    ChangeState,
    HistoryKind,
    MassChangeCheck,
    RefreshState,
    StepState,
    UnlinkReason,
)
from app.storage.tables import access_models as access_models  # so that Base knows all tables once it knows one
from app.storage.tables import attention_models as attention_models
from app.storage.tables import automatic_models as automatic_models
from app.storage.tables import directory_models as directory_models
from app.storage.tables import key_models as key_models
from app.storage.tables import outgoing_models as outgoing_models
from app.storage.tables import stopped_models as stopped_models
from app.storage.tables import upkeep_models as upkeep_models
from app.storage.tables.base import Base as Base
from app.storage.tables.base import partial, refers

_OPEN = "state IN ('waiting', 'running')"
_IN_HAND = "pushed_at IS NOT NULL AND finished_at IS NULL"
_ASKING = "state = 'needs_review'"
_OPEN_UNDO = "undone_run_id IS NOT NULL AND finished_at IS NULL"
_OPEN_SURVEY = "asked_as IS NOT NULL AND state IN ('waiting', 'surveying') AND ends_as IS NULL"
_RETRY = (
    "asked_as IS NOT NULL AND retried_run_id IS NOT NULL"
    " AND (ends_as IS NULL OR ends_as <> 'cancelled') AND state <> 'cancelled'"
)
_UNDECIDED = "decide_until IS NOT NULL AND finished_at IS NULL"
_GATHERING = "state = 'waiting' AND gather_until IS NOT NULL AND ends_as IS NULL"


class ConnectionTable(Base):
    __tablename__ = "connections"
    __table_args__ = (Index("uq_connections_pair", "pair_key", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    smarthr_subdomain: Mapped[str]
    smarthr_token_enc: Mapped[str]
    freee_company_id: Mapped[int]
    freee_external_cid: Mapped[str | None]
    freee_company_name: Mapped[str | None]
    freee_access_token_enc: Mapped[str | None]
    freee_refresh_token_enc: Mapped[str | None]
    freee_expires_at: Mapped[datetime | None]
    freee_refreshed_at: Mapped[datetime | None]
    freee_version: Mapped[int] = mapped_column(default=0)
    freee_claimed_until: Mapped[datetime | None]
    freee_refresh_state: Mapped[RefreshState]
    export_settings: Mapped[dict[str, Any] | None]
    options: Mapped[dict[str, Any]]
    learned: Mapped[dict[str, Any]]
    mail_to_enc: Mapped[str]
    mail_english_enc: Mapped[str | None]
    paused: Mapped[bool] = mapped_column(default=False)
    needs_consent: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    two_persons: Mapped[str] = mapped_column(String(32), default="off", server_default="off")
    two_persons_hours: Mapped[int | None] = mapped_column(Integer)
    two_persons_off_by: Mapped[str | None]
    pair_key: Mapped[str | None]
    """Tenant and company in one form, so that a pair is connected once; None: a duplicate from before this rule."""
    removed_at: Mapped[datetime | None]
    deleted_by: Mapped[str | None]
    """Who has deleted it with its data; None also for a duplicate that was removed, whose history stays."""
    emptied_at: Mapped[datetime | None]


class KnownPersonTable(Base):
    """Who a person is whom a list does not show with kana and birth date, and whom Awase itself has created."""

    __tablename__ = "known_people"
    __table_args__ = (Index("uq_known_people_person", "system", "tenant", "person_id", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(refers("connections.id"))
    system: Mapped[System]
    tenant: Mapped[str]
    person_id: Mapped[str]
    employee_number: Mapped[str]
    listed: Mapped[str]
    identity_enc: Mapped[str | None]
    read_at: Mapped[datetime]
    made_at: Mapped[datetime | None]
    number_mark: Mapped[str | None]
    kana_mark: Mapped[str | None]
    born_mark: Mapped[str | None]


class TokenDoorTable(Base):
    """What is known of freee's token endpoint, per client id of the installation. `passage` counts the passages."""

    __tablename__ = "token_doors"

    client_id: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[dict[str, Any]]
    passage: Mapped[int]
    held_until: Mapped[datetime | None]


class RunTable(Base):
    __tablename__ = "runs"
    __table_args__ = (
        Index(
            "ix_runs_open",
            "state",
            postgresql_where=text("finished_at IS NULL"),
            sqlite_where=text("finished_at IS NULL"),
        ),
        Index("ix_runs_connection_id_id", "connection_id", "id"),
        # Per connection and direction, only one run gathers the employees whom webhooks name.
        partial("uq_runs_gathering", "connection_id", "direction", where=_GATHERING, unique=True),
        partial("ix_runs_second_person", "decide_until", where=_UNDECIDED),
        # Only one run at a time may take a run back.
        partial("uq_runs_open_undo", "undone_run_id", where=_OPEN_UNDO, unique=True),
        # Nobody has two previews, or two repetitions, of one connection and direction surveyed at once.
        partial("uq_runs_open_survey", "connection_id", "direction", "asked_as", where=_OPEN_SURVEY, unique=True),
        # A run is repeated once, however often it is asked for; a repetition that was cancelled does not count.
        partial("uq_runs_retry", "retried_run_id", where=_RETRY, unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    connection_id: Mapped[int] = mapped_column(refers("connections.id"), index=True)
    direction: Mapped[Direction]
    trigger: Mapped[Trigger]
    as_of_date: Mapped[date]
    dry_run: Mapped[bool]
    scope: Mapped[list[str] | None]
    queue: Mapped[str]
    state: Mapped[RunState]
    ends_as: Mapped[RunState | None]
    total: Mapped[int | None]
    equal: Mapped[int] = mapped_column(default=0)
    left_out: Mapped[dict[str, Any] | None]
    looked_at: Mapped[dict[str, Any] | None]
    only_target_changed: Mapped[int] = mapped_column(default=0)
    gather_until: Mapped[datetime | None]
    missed: Mapped[list[Any] | None]
    started_by: Mapped[str]
    survey_attempt: Mapped[int] = mapped_column(default=0)
    survey_starts: Mapped[int] = mapped_column(default=0)
    survey_failures: Mapped[int] = mapped_column(default=0)
    survey_lease_until: Mapped[datetime | None]
    survey_next_at: Mapped[datetime | None]
    survey_pushed_at: Mapped[datetime | None]
    smarthr_calls: Mapped[int] = mapped_column(default=0)
    freee_calls: Mapped[int] = mapped_column(default=0)
    error_code: Mapped[str | None]
    retried_run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"))
    undone_run_id: Mapped[int | None]  # no foreign key: SQLite adds one to a copy of the table only
    surveyed_at: Mapped[datetime | None]
    alarms: Mapped[list[Any] | None]
    first_by: Mapped[list[str] | None]
    decide_until: Mapped[datetime | None]
    alone_reason_enc: Mapped[str | None]
    stopped: Mapped[dict[str, Any] | None]
    acknowledged: Mapped[bool] = mapped_column(default=False)
    gate: Mapped[MassChangeCheck | None]
    counts: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[str | None]
    finished_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
    asked_as: Mapped[str | None]
    """`StartRun.asked_as`; None also for the runs of versions that did not know it."""
    trial: Mapped[dict[str, Any] | None]
    """For a trial of settings: those that were tried, and what has come of it."""


class ItemTable(Base):
    __tablename__ = "items"
    __table_args__ = (
        Index("ix_items_run_state", "run_id", "state"),
        Index("ix_items_finished", "run_id", "finished_at"),
        Index("ix_items_source", "connection_id", "source_id", "id"),
        # For the engine room's charts: how many items ended when, and with which cause, without a look at the rows.
        Index("ix_items_ended", "finished_at", "state", "error_code"),
        partial("ix_items_asking", "connection_id", "id", where=_ASKING),
        # One open item per employee and direction, so that no two jobs write one person. Previews, and items waiting
        # behind another run's item, hold no slot.
        partial(
            "uq_items_slot", "connection_id", "direction", "source_id", where=f"{_OPEN} AND holds_slot", unique=True
        ),
        partial("ix_items_open", "state", "next_at", where=_OPEN),
        partial("ix_items_in_hand", "connection_id", "queue", where=_IN_HAND),
        Index("uq_items_run_position", "run_id", "position", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(refers("runs.id"))
    connection_id: Mapped[int] = mapped_column(refers("connections.id"))
    direction: Mapped[Direction]
    position: Mapped[int]
    employee_number: Mapped[str]
    source_id: Mapped[str | None]
    target_id: Mapped[str | None]
    kind: Mapped[str]
    queue: Mapped[str]
    state: Mapped[ItemState]
    holds_slot: Mapped[bool]
    attempt: Mapped[int] = mapped_column(default=0)
    starts: Mapped[int] = mapped_column(default=0)
    attempts_failed: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    lease_by: Mapped[str | None]
    next_at: Mapped[datetime]
    pushed_at: Mapped[datetime | None]
    closing_month: Mapped[str | None]
    pay_month: Mapped[str | None]
    approved_digest: Mapped[str | None]
    error_code: Mapped[str | None]
    detail_enc: Mapped[str | None]
    notes: Mapped[list[Any]]
    candidates_enc: Mapped[str | None]
    name_enc: Mapped[str | None]
    chosen: Mapped[bool] = mapped_column(default=False)
    effects: Mapped[str] = mapped_column(default="")
    known: Mapped[bool] = mapped_column(default=False)
    ticked: Mapped[list[str] | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class FieldChangeTable(Base):
    __tablename__ = "field_changes"
    __table_args__ = (Index("uq_field_changes_item_key", "item_id", "key", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(refers("items.id"))
    key: Mapped[str]
    before_enc: Mapped[str | None]
    after_enc: Mapped[str | None]
    raw_enc: Mapped[str | None]
    state: Mapped[ChangeState]
    step: Mapped[Step | None]
    same: Mapped[bool] = mapped_column(default=False)
    as_it_is: Mapped[bool] = mapped_column(default=False)
    trace_enc: Mapped[str | None]


class ItemStepTable(Base):
    __tablename__ = "item_steps"
    __table_args__ = (Index("ix_item_steps_item", "item_id", "attempt"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(refers("items.id"))
    attempt: Mapped[int]
    step: Mapped[Step]
    state: Mapped[StepState]
    keys: Mapped[list[str]]
    error_code: Mapped[str | None]
    at: Mapped[datetime]


class LinkTable(Base):
    __tablename__ = "links"
    __table_args__ = tuple(
        Index(
            f"uq_links_{side}",
            "connection_id",
            side,
            unique=True,
            sqlite_where=text("unlinked_at IS NULL"),
            postgresql_where=text("unlinked_at IS NULL"),
        )
        for side in ("smarthr_id", "freee_id")
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(refers("connections.id"))
    smarthr_id: Mapped[str]
    freee_id: Mapped[str]
    baseline: Mapped[dict[str, Any]]
    unsettled: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    unlinked_at: Mapped[datetime | None]
    unlinked_why: Mapped[UnlinkReason | None]
    unchanged_to_freee: Mapped[str | None]
    unchanged_to_smarthr: Mapped[str | None]


class HistoryTable(Base):
    __tablename__ = "history"
    __table_args__ = (Index("uq_history_run_kind", "run_id", "kind", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(refers("runs.id"))
    kind: Mapped[HistoryKind]
    at: Mapped[datetime]
    result: Mapped[RunState | None]


class SurveyPageTable(Base):
    __tablename__ = "survey_pages"
    __table_args__ = (Index("uq_survey_pages", "run_id", "system", "seq", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(refers("runs.id"))
    system: Mapped[System]
    seq: Mapped[int]
    rows_enc: Mapped[bytes]
    next_cursor: Mapped[str | None]


class PreviewNameTable(Base):
    """The names of all people in a preview of a former release, which searched them in memory. Nothing is added, and
    what is there is erased with the run."""

    __tablename__ = "rosters"

    run_id: Mapped[int] = mapped_column(refers("runs.id"), primary_key=True)
    people_enc: Mapped[bytes]


class DirectoryTable(Base):
    __tablename__ = "directory"
    __table_args__ = (
        Index("uq_directory_person", "connection_id", "system", "person_id", unique=True),
        Index("ix_directory_number", "connection_id", "system", "employee_number"),
        Index("ix_directory_number_mark", "connection_id", "system", "number_mark"),
        Index("ix_directory_kana_mark", "connection_id", "system", "kana_mark"),
        Index("ix_directory_born_mark", "connection_id", "system", "born_mark"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(refers("connections.id"))
    system: Mapped[System]
    employee_number: Mapped[str]
    person_id: Mapped[str]
    schedule: Mapped[dict[str, Any] | None]
    content: Mapped[str | None]
    number_mark: Mapped[str | None]
    kana_mark: Mapped[str | None]
    born_mark: Mapped[str | None]
    name_digests: Mapped[bytes | None]
    names_by: Mapped[str | None]
    record_mark: Mapped[str | None]
    seen_at: Mapped[datetime]
