"""Connections that a user is setting up: what the wizard has collected before there is a connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from app.domain.settings.names import cleaned
from app.domain.vendors.tokens import FreeeTokens
from app.storage.connections.rows import WizardConsent, WizardRow
from app.storage.repository import Repository, as_row
from app.storage.tables.access_models import WizardTable
from app.storage.vault import SealedList

_ENGLISH = "mail_english"
"""In `seen`: how many at the end of the recipients read English. A version that knows nothing of it writes Japanese to
all of them."""


class WizardRepository(Repository):
    """`uow.wizards`."""

    def add(
        self,
        *,
        key: str,
        name: str,
        smarthr_subdomain: str,
        smarthr_token: str,
        seen: Mapping[str, Any],
        mail_to: Iterable[str],
        started_by: str,
        now: datetime,
        mail_english: Iterable[str] = (),
    ) -> None:
        """`mail_to`: who reads Japanese, `mail_english`: who reads English; who stands in both reads English."""
        english = tuple(dict.fromkeys(mail_english))
        everybody = [*(address for address in mail_to if address not in english), *english]
        record = WizardTable(
            key=key,
            name=name,
            smarthr_subdomain=smarthr_subdomain,
            smarthr_token_enc=self._vault.encrypt(smarthr_token),
            seen={**seen, _ENGLISH: len(english)},
            mail_to_enc=self._vault.encrypt_json(everybody),
            started_by=started_by,
            created_at=now,
        )
        self._session.add(record)
        self._session.flush()

    def get(self, key: str) -> WizardRow | None:
        record = self._session.scalar(select(WizardTable).where(WizardTable.key == key))
        return None if record is None else self._row(record)

    def all(self) -> list[WizardRow]:
        """Oldest first."""
        return [self._row(record) for record in self._session.scalars(select(WizardTable).order_by(WizardTable.id))]

    def delete(self, setup_id: int) -> None:
        self._session.execute(delete(WizardTable).where(WizardTable.id == setup_id))

    def made(self, setup_id: int, connection_id: int) -> None:
        """The connection exists now and holds the credentials, so the setup forgets them."""
        blank = self._vault.encrypt("")
        self._set(setup_id, connection_id=connection_id, smarthr_token_enc=blank, freee_tokens_enc=None)

    def smarthr_token(self, setup_id: int) -> str:
        return self._vault.decrypt(
            self._session.get_one(WizardTable, setup_id, populate_existing=True).smarthr_token_enc
        )

    # ── freee ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def send_to_freee(
        self, setup_id: int, *, state_hash: str, verifier: str, redirect_uri: str, until: datetime, browser_hash: str
    ) -> None:
        """An authorisation begins; an earlier one that was on its way for this setup is worth nothing any more."""
        sealed = self._vault.encrypt(verifier)
        self._set(
            setup_id,
            state_hash=state_hash,
            verifier_enc=sealed,
            redirect_uri=redirect_uri,
            consent_until=until,
            browser_hash=browser_hash,
        )

    def knows_state(self, state_hash: str) -> bool:
        """Whether a setup waits for this state; needs no write lock."""
        return self._session.scalar(select(WizardTable.id).where(WizardTable.state_hash == state_hash)) is not None

    def browser_of(self, state_hash: str) -> str | None:
        """The browser to which this state belongs; None: the state is unknown, or is nobody's."""
        return self._session.scalar(select(WizardTable.browser_hash).where(WizardTable.state_hash == state_hash))

    def take_state(self, state_hash: str, *, now: datetime) -> WizardConsent | None:
        """The one use of a state; None when unknown, used or too old."""
        record = self._session.scalar(select(WizardTable).where(WizardTable.state_hash == state_hash))
        if record is None or record.verifier_enc is None or record.consent_until is None:
            return None
        until = record.consent_until
        taken = WizardConsent(self._row(record), self._vault.decrypt(record.verifier_enc), record.redirect_uri or "")
        used = update(WizardTable).where(WizardTable.state_hash == state_hash)
        mine = self._changed(used.values(state_hash=None, verifier_enc=None, redirect_uri=None, consent_until=None))
        return taken if mine and until >= now else None

    def keep_grant(
        self, setup_id: int, tokens: FreeeTokens, *, company_id: int, company_name: str, external_cid: str
    ) -> None:
        """Keep what freee brought until the user confirms or refuses the company."""
        sealed = self._vault.encrypt_json([tokens.access_token, tokens.refresh_token, tokens.expires_at.isoformat()])
        self._set(
            setup_id,
            freee_company_id=company_id,
            freee_company_name=company_name,
            freee_external_cid=external_cid,
            freee_tokens_enc=sealed,
        )

    def drop_grant(self, setup_id: int) -> None:
        nothing = dict.fromkeys(("freee_company_id", "freee_company_name", "freee_external_cid", "freee_tokens_enc"))
        self._set(setup_id, **nothing)

    def freee_tokens(self, setup_id: int) -> FreeeTokens | None:
        sealed = self._session.get_one(WizardTable, setup_id, populate_existing=True).freee_tokens_enc
        if sealed is None:
            return None
        access, refresh, expires_at = self._vault.decrypt_json(sealed)
        return FreeeTokens(access, refresh, datetime.fromisoformat(expires_at))

    def _set(self, setup_id: int, **values: Any) -> None:
        self._session.execute(update(WizardTable).where(WizardTable.id == setup_id).values(**values))

    def _row(self, record: WizardTable) -> WizardRow:
        mail_to = SealedList(self._vault, record.mail_to_enc)
        english = mail_to[-count:] if (count := record.seen.get(_ENGLISH, 0)) else ()
        company = record.freee_company_name and cleaned(record.freee_company_name)
        return as_row(
            WizardRow,
            record,
            mail_to=mail_to,
            mail_english=english,
            name=cleaned(record.name),
            freee_company_name=company,
        )
