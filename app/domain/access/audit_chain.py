"""The chain of the audit trail: how an entry becomes text, its digest, and the seal only this installation can make.

The digest of an entry covers its own text and the digest before it, so whoever changes, removes, inserts or moves an
entry has to compute every later digest anew. Anybody can check that with a few lines and no secret. Somebody who can
write to the database could compute them all anew, so each entry also has a seal, a digest with a key that the database
holds encrypted only. What neither shows is a tail that was cut off together with an old copy of the head: against that
helps a head that was written down elsewhere (each export and the log carry it).

This form is fixed: another one would make every earlier export look forged.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64
"""The digest before the first entry."""
PURGED = "audit_purged"
"""The action of the entry that says up to where the beginning of the trail was purged."""
FIELDS = ("position", "at", "actor", "action", "subject", "detail", "door", "address", "via")
"""What the digest covers."""


def plain(
    *,
    position: int,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any],
    door: str | None,
    address: str | None,
    via: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """An entry as plain values. Entries of older versions know neither door nor address nor via."""
    return {
        "position": position,
        "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": detail,
        "door": door,
        "address": address,
        "via": via,
    }


def text_of(entry: Mapping[str, Any]) -> str:
    """The text that the digest covers: JSON with sorted names and no blanks."""
    covered = {name: entry[name] for name in FIELDS}
    return json.dumps(covered, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest_of(entry: Mapping[str, Any], before: str) -> str:
    """`before`: the digest of the entry before it, or GENESIS."""
    return hashlib.sha256(f"{before}\n{text_of(entry)}".encode()).hexdigest()


def seal_of(digest: str, key: bytes) -> str:
    return _keyed(f"entry {digest}", key)


def head_seal_of(position: int, digest: str, key: bytes) -> str:
    """Seal of the head. Another one than that of the entry, so that no entry's seal can stand for an older head."""
    return _keyed(f"head {position} {digest}", key)


def _keyed(text: str, key: bytes) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
