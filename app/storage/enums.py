"""Closed lists that only the tables need: states of mails, steps, changes and tokens."""

from __future__ import annotations

from enum import StrEnum


class ChangeState(StrEnum):
    PLANNED = "planned"
    WRITTEN = "written"
    HELD = "held"  # written only when a person ticks it in the preview


class StepState(StrEnum):
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class MassChangeCheck(StrEnum):
    """The gate of a gathered run of many people: CLOSED until all its plans are known, then OPEN."""

    CLOSED = "closed"
    OPEN = "open"


class OutboxKind(StrEnum):
    SURVEY = "survey"
    ITEM = "item"
    MAIL = "mail"


class MailKind(StrEnum):
    SUMMARY = "summary"  # of a run
    CONSENT = "consent"  # an administrator has to authorise freee anew
    WEBHOOK = "webhook"  # SmartHR no longer sends its notifications
    UNREADABLE = "unreadable"  # an attribute that had values is shown for nobody any more
    GUARD = "guard"  # a run was held before its first write
    SECOND_PERSON = "second_person"  # changes wait for a second person, were not decided on, or by one alone
    BEGIN = "begin"  # the preview with which automatic sync begins waits for a person
    INVITATION = "invitation"  # to become a user


class MailState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"


class HistoryKind(StrEnum):
    START = "start"
    END = "end"


class DeliveryState(StrEnum):
    """What became of a webhook. Only ACCEPTED deliveries have items."""

    RECEIVED = "received"  # stored and answered; the relay has not sorted it yet
    ACCEPTED = "accepted"
    IGNORED = "ignored"  # the connection does not sync in this direction by itself
    UNKNOWN = "unknown"  # an event that Awase does not know, or a body without the id of an employee
    UNROUTED = "unrouted"  # freee's company belongs to no connection


class WebhookState(StrEnum):
    """The state in which Awase last found its webhook registration at SmartHR."""

    NONE = "none"  # never registered from here
    OK = "ok"
    DISABLED = "disabled"  # SmartHR, or a person there, has switched it off: `disabled_at`
    MISSING = "missing"  # it was deleted at SmartHR
    CHANGED = "changed"  # other address, or events switched off


class UnlinkReason(StrEnum):
    SMARTHR_DELETED = "smarthr_deleted"
    FREEE_DELETED = "freee_deleted"
    BY_PERSON = "by_person"
    DIFFERENT = "different"  # a user has said that these are two people: Awase never matches them again by itself


class RefreshState(StrEnum):
    """State of freee's token pair. UNKNOWN: the answer of a refresh was lost; Awase never sends it again blindly."""

    NONE = "none"
    OK = "ok"
    SENDING = "sending"  # claimed; when the claim runs out like this, its holder died and the answer is lost
    UNKNOWN = "unknown"
    NEEDS_CONSENT = "needs_consent"


class KeyKind(StrEnum):
    """ENCRYPTION keys seal stored values (ENCRYPTION_KEYS); SIGNING keys key digests and signatures (SECRET_KEY)."""

    ENCRYPTION = "encryption"
    SIGNING = "signing"


class KeyUse(StrEnum):
    """A FORMER key is still needed; of a RETIRED one it was seen that nothing stands under it any more."""

    IN_USE = "in_use"
    FORMER = "former"
    RETIRED = "retired"
