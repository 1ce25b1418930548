"""Closed lists that only the tables need: states of mails, steps, changes and tokens."""

from __future__ import annotations

from enum import StrEnum


class ChangeState(StrEnum):
    PLANNED = "planned"
    WRITTEN = "written"


class StepState(StrEnum):
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class OutboxKind(StrEnum):
    SURVEY = "survey"
    ITEM = "item"
    MAIL = "mail"


class MailKind(StrEnum):
    SUMMARY = "summary"


class MailState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"


class HistoryKind(StrEnum):
    START = "start"
    END = "end"


class RefreshState(StrEnum):
    """Of freee's token pair. UNKNOWN: the answer of a refresh was lost, it is never sent again blindly."""

    NONE = "none"
    OK = "ok"
    UNKNOWN = "unknown"
    NEEDS_CONSENT = "needs_consent"
