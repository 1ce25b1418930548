"""Connections: one SmartHR tenant and one freee company, with settings, learned facts and encrypted tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, bindparam, select, update

from app.domain.employee import PaySchedule
from app.domain.enums import System
from app.domain.settings.connection_settings import (
    Automatic,
    BlankPolicy,
    ConflictPolicy,
    Connection,
    ExportSettings,
    MailPolicy,
    PayType,
)
from app.domain.settings.names import cleaned
from app.domain.settings.readability import Listing
from app.domain.settings.two_persons import TwoPersons
from app.domain.vendors.tokens import FreeeTokens
from app.storage.connections.learned import MARKS, learn_listing, standings_in, store_standings, with_new_token
from app.storage.connections.rows import ConnectionStatus, PairRow, pair_key
from app.storage.connections.sealed_tokens import SealedTokens
from app.storage.enums import RefreshState
from app.storage.repository import Repository, as_row, table_of
from app.storage.tables.models import ConnectionTable
from app.storage.vault import SealedList

_COLUMNS, _MINE = table_of(ConnectionTable).c, table_of(ConnectionTable).c.id == bindparam("connection_")
_CONNECTION = select(*(each for each in _COLUMNS if "token" not in each.name)).where(_MINE)
_WITH_TOKENS = select(*_COLUMNS).where(_MINE)
_TOKENS = select(*(each for each in _COLUMNS if each.name.startswith(("freee_", "smarthr_token")))).where(_MINE)


class ConnectionRepository(Repository):
    def add(
        self,
        *,
        key: str,
        name: str,
        smarthr_subdomain: str,
        smarthr_token: str,
        freee_company_id: int,
        freee_external_cid: str | None = None,
        mail_to: Iterable[str] = (),
        mail_english: Iterable[str] = (),
        now: datetime,
    ) -> Connection:
        """A connection with default settings, without freee tokens. Raises IntegrityError when the pair is there."""
        record = ConnectionTable(
            key=key,
            name=name,
            smarthr_subdomain=smarthr_subdomain,
            smarthr_token_enc=self._vault.encrypt(smarthr_token),
            freee_company_id=freee_company_id,
            freee_external_cid=freee_external_cid,
            freee_refresh_state=RefreshState.NONE,
            needs_consent=True,
            options={},
            learned={},
            mail_to_enc=self._vault.encrypt_json(list(mail_to)),
            mail_english_enc=self._vault.encrypt_json(list(mail_english)),
            created_at=now,
            pair_key=pair_key(smarthr_subdomain, freee_company_id),
        )
        self._session.add(record)
        self._session.flush()
        return self._connection(record)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def get(self, connection_id: int) -> Connection | None:
        record = self._first(_CONNECTION, {"connection_": connection_id})
        return None if record is None else self._connection(record)

    def with_tokens(self, connection_id: int) -> Connection | None:
        """As `get`, and what its work needs first of all with it: the tokens."""
        record = self._first(_WITH_TOKENS, {"connection_": connection_id})
        return None if record is None else replace(self._connection(record), tokens=SealedTokens(self._vault, record))

    def get_by_key(self, key: str) -> Connection | None:
        query = select(ConnectionTable).where(ConnectionTable.key == key, ConnectionTable.removed_at.is_(None))
        record = self._session.scalar(query)
        return None if record is None else self._connection(record)

    def knows_key(self, key: str) -> bool:
        """Whether any connection has or had this key."""
        return self._session.scalar(select(ConnectionTable.id).where(ConnectionTable.key == key)) is not None

    def get_by_company(self, freee_company_id: int) -> list[Connection]:
        """The connections of one freee company."""
        query = select(ConnectionTable).where(
            ConnectionTable.freee_company_id == freee_company_id, ConnectionTable.removed_at.is_(None)
        )
        return [self._connection(r) for r in self._session.scalars(query.order_by(ConnectionTable.id))]

    def get_by_pair(self, smarthr_subdomain: str, freee_company_id: int) -> Connection | None:
        """The one connection of this tenant and this company, which the database keeps unique."""
        pair = pair_key(smarthr_subdomain, freee_company_id)
        record = self._session.scalar(select(ConnectionTable).where(ConnectionTable.pair_key == pair))
        return None if record is None else self._connection(record)

    def list_all(self) -> list[Connection]:
        """All connections but those that were removed."""
        query = select(ConnectionTable).where(ConnectionTable.removed_at.is_(None)).order_by(ConnectionTable.id)
        return [self._connection(record) for record in self._session.scalars(query)]

    def status(self, connection_id: int) -> ConnectionStatus:
        record = self._session.get_one(ConnectionTable, connection_id, populate_existing=True)
        named = {"freee_company_name": record.freee_company_name and cleaned(record.freee_company_name)}
        return as_row(ConnectionStatus, record, refresh_state=record.freee_refresh_state, **named)

    def _connection(self, record: ConnectionTable | Row[Any]) -> Connection:
        options, learned = record.options, record.learned
        return Connection(
            id=record.id,
            key=record.key,
            name=cleaned(record.name),
            smarthr_subdomain=record.smarthr_subdomain,
            freee_company_id=record.freee_company_id,
            export_settings=_export_settings(record.export_settings),
            export_settings_by_type={
                name: made
                for name, stored in options.get("export_by_type", {}).items()
                if (made := _export_settings(stored))
            },
            include_building=options.get("include_building", True),
            create_positions=options.get("create_positions", False),
            automatic=Automatic(options.get("automatic", Automatic.OFF)),
            conflict_policy=ConflictPolicy(options.get("conflict_policy", ConflictPolicy.HOLD)),
            conflict_policies={key: ConflictPolicy(v) for key, v in options.get("conflict_policies", {}).items()},
            quiet_seconds=options.get("quiet_seconds"),
            sweep_minutes=options.get("sweep_minutes"),
            mail_policy=MailPolicy(options.get("mail_policy", MailPolicy.CHANGES)),
            mail_to=SealedList(self._vault, record.mail_to_enc),
            mail_english=SealedList(self._vault, record.mail_english_enc) if record.mail_english_enc else (),
            blank_policies={key: BlankPolicy(value) for key, value in options.get("blank_policies", {}).items()},
            excluded=frozenset(options.get("excluded", ())),
            two_persons=TwoPersons(record.two_persons),
            two_persons_hours=record.two_persons_hours,
            two_persons_off_by=record.two_persons_off_by,
            standings={system: standings_in(learned, system) for system in System},
            token_marks={system: learned.get(MARKS, {}).get(system.value, 0) for system in System},
            missing_attributes=frozenset(learned.get("missing_attributes", ())),
            attributes_checked_at=_moment(learned.get("attributes_checked_at")),
            employment_types=frozenset(learned.get("employment_types", ())),
            known_positions=frozenset(learned["known_positions"]) if "known_positions" in learned else None,
            pay_schedules={name: PaySchedule(**s) for name, s in learned.get("pay_schedules", {}).items()},
            paused=record.paused,
            needs_consent=record.needs_consent,
            doubled=record.pair_key is None,
        )

    # ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────

    def set_export_settings(self, connection_id: int, settings: ExportSettings | None) -> None:
        self._set(connection_id, export_settings=None if settings is None else asdict(settings))

    def set_options(self, connection: Connection) -> None:
        """Store the settings that a customer decides, as the given Connection has them."""
        self._set(
            connection.id,
            name=connection.name,
            mail_to_enc=self._vault.sealed_list(connection.mail_to),
            mail_english_enc=self._vault.sealed_list(connection.mail_english),
            options={
                "export_by_type": {name: asdict(each) for name, each in connection.export_settings_by_type.items()},
                "include_building": connection.include_building,
                "create_positions": connection.create_positions,
                "automatic": connection.automatic.value,
                "conflict_policy": connection.conflict_policy.value,
                "conflict_policies": {key: policy.value for key, policy in connection.conflict_policies.items()},
                "quiet_seconds": connection.quiet_seconds,
                "sweep_minutes": connection.sweep_minutes,
                "mail_policy": connection.mail_policy.value,
                "blank_policies": {key: policy.value for key, policy in connection.blank_policies.items()},
                "excluded": sorted(connection.excluded),
            },
        )

    def set_two_persons(self, connection_id: int, mode: TwoPersons, hours: int | None, *, off_by: str | None) -> None:
        """Beside the options: these are stored as a whole, and another form would bring the former setting back."""
        self._set(connection_id, two_persons=mode.value, two_persons_hours=hours, two_persons_off_by=off_by)

    def set_smarthr_token(self, connection_id: int, token: str) -> None:
        """Keep a new token. What the former one has shown is no evidence for this one."""
        kept = {name: value for name, value in self._learned(connection_id).items() if name not in _OF_THE_TOKEN}
        kept = with_new_token(kept, System.SMARTHR)
        self._set(connection_id, smarthr_token_enc=self._vault.encrypt(token), learned=kept)

    def learn_token(
        self,
        connection_id: int,
        listing: Listing,
        *,
        employment_types: Iterable[str],
        by: str | None = None,
        now: datetime,
    ) -> list[str]:
        """Store what a check of SmartHR's token has shown: how the attributes stand, names of 雇用形態. `by`: the mark
        of the token that was checked; None: the present one. Returns the attributes that have gone with this check."""
        known = self._learned(connection_id)
        known["missing_attributes"] = sorted(listing.missing)
        known["employment_types"] = sorted(employment_types)
        known["attributes_checked_at"] = now.isoformat()
        mark = by if by is not None else str(known.get(MARKS, {}).get(System.SMARTHR.value, 0))
        gone = learn_listing(known, System.SMARTHR, listing, by=mark, now=now)
        self._set(connection_id, learned=known)
        return gone

    def answer_cleared(self, connection_id: int, system: System, name: str) -> bool:
        """Store a person's answer that an attribute was emptied for everybody. False: nobody has asked about it."""
        known = self._learned(connection_id)
        standing = standings_in(known, system).get(name)
        if standing is None or not standing.is_open or standing.missing:
            return False
        store_standings(known, system, {**standings_in(known, system), name: replace(standing, cleared=True)})
        self._set(connection_id, learned=known)
        return True

    def remove(self, connection_id: int, *, now: datetime) -> None:
        """Take a connection out of service for good: its history stays, its tokens go."""
        blank = self._vault.encrypt("")
        tokens = {"freee_access_token_enc": None, "freee_refresh_token_enc": None, "freee_expires_at": None}
        self._set(
            connection_id,
            removed_at=now,
            paused=True,
            pair_key=None,
            smarthr_token_enc=blank,
            freee_refresh_state=RefreshState.NONE,
            **tokens,
        )

    def hold(self, connection_id: int) -> None:
        """Lock the connection's row: no other transaction changes it until this one ends."""
        self._session.execute(select(ConnectionTable.id).where(ConnectionTable.id == connection_id).with_for_update())

    def set_paused(self, connection_id: int, paused: bool) -> None:
        self._set(connection_id, paused=paused)

    def set_needs_consent(self, connection_id: int, needs_consent: bool) -> None:
        self._set(connection_id, needs_consent=needs_consent)

    def learn(
        self,
        connection_id: int,
        listings: Mapping[System, Listing],
        pay_schedules: Mapping[str, PaySchedule],
        known_positions: Iterable[str] | None = None,
        *,
        marks: Mapping[System, str] = MappingProxyType({}),
        now: datetime,
    ) -> dict[System, list[str]]:
        """Store what a survey saw: how the attributes of both systems stand, the pay schedule groups, and the master of
        役職 where it was read. `marks`: of the tokens that were shown this. Returns the attributes that have gone."""
        known = self._learned(connection_id)
        gone = {
            system: learn_listing(known, system, listing, by=marks.get(system, ""), now=now)
            for system, listing in listings.items()
        }
        known["pay_schedules"] = known.get("pay_schedules", {}) | {
            name: asdict(schedule) for name, schedule in pay_schedules.items()
        }
        if known_positions is not None:
            known["known_positions"] = sorted(known_positions)
        self._set(connection_id, learned=known)
        return gone

    def _learned(self, connection_id: int) -> dict[str, Any]:
        """What the connection has learned, for one writer at a time."""
        query = select(ConnectionTable.learned).where(ConnectionTable.id == connection_id).with_for_update()
        return dict(self._session.scalar(query) or {})

    # ── freee's tokens ────────────────────────────────────────────────────────────────────────────────────────────

    def smarthr_token(self, connection_id: int) -> str:
        return self._tokens(connection_id).smarthr_token()

    def freee_tokens(self, connection_id: int) -> FreeeTokens | None:
        return self._tokens(connection_id).freee_tokens()

    def _tokens(self, connection_id: int) -> SealedTokens:
        return SealedTokens(self._vault, self._run(_TOKENS, {"connection_": connection_id}).one())

    def claim_refresh(self, connection_id: int, *, version: int, now: datetime, until: datetime) -> bool:
        """Claim the refresh for one caller. False: another caller has it, or the pair is in doubt.

        A claim that ran out becomes UNKNOWN: the answer, which would have told what freee did, died with its process.
        """
        state, claimed_until = ConnectionTable.freee_refresh_state, ConnectionTable.freee_claimed_until
        dead = (state == RefreshState.SENDING, claimed_until < now)
        self._token_update(connection_id, version, *dead, values={"freee_refresh_state": RefreshState.UNKNOWN})
        return self._token_update(
            connection_id,
            version,
            (claimed_until.is_(None)) | (claimed_until < now),
            state == RefreshState.OK,
            values={"freee_claimed_until": until, "freee_refresh_state": RefreshState.SENDING},
        )

    def settle_refresh(self, connection_id: int, *, version: int, was: RefreshState) -> bool:
        """The pair is good as it is: freee has done nothing (SENDING), or the old access token still works (UNKNOWN).
        The claim runs on, as a pause before the next try."""
        mine = ConnectionTable.freee_refresh_state == was
        return self._token_update(connection_id, version, mine, values={"freee_refresh_state": RefreshState.OK})

    def release_refresh(self, connection_id: int, *, version: int) -> bool:
        """freee has not listened: the pair is good as it is; who finds the door open may ask at once."""
        mine = ConnectionTable.freee_refresh_state == RefreshState.SENDING
        values = {"freee_refresh_state": RefreshState.OK, "freee_claimed_until": None}
        return self._token_update(connection_id, version, mine, values=values)

    def store_refreshed(self, connection_id: int, tokens: FreeeTokens, *, version: int, now: datetime) -> bool:
        values = self._token_values(tokens, now) | {"freee_version": version + 1}
        return self._token_update(connection_id, version, values=values)

    def set_freee_tokens(
        self,
        connection_id: int,
        tokens: FreeeTokens,
        *,
        now: datetime,
        company_name: str | None = None,
        external_cid: str | None = None,
    ) -> None:
        """Store the pair of a new authorisation by a person, in place of any pair there was."""
        values = self._token_values(tokens, now) | {
            "freee_version": ConnectionTable.freee_version + 1,
            "needs_consent": False,
        }
        named = {"freee_company_name": company_name, "freee_external_cid": external_cid}
        values |= {column: value for column, value in named.items() if value}
        values["learned"] = with_new_token(self._learned(connection_id), System.FREEE)
        self._set(connection_id, **values)

    def _token_values(self, tokens: FreeeTokens, now: datetime) -> dict[str, Any]:
        return {
            "freee_access_token_enc": self._vault.encrypt(tokens.access_token),
            "freee_refresh_token_enc": self._vault.encrypt(tokens.refresh_token),
            "freee_expires_at": tokens.expires_at,
            "freee_refreshed_at": now,
            "freee_claimed_until": None,
            "freee_refresh_state": RefreshState.OK,
        }

    def mark_refresh(self, connection_id: int, state: RefreshState, *, version: int) -> bool:
        """Mark the pair UNKNOWN or NEEDS_CONSENT, unless a newer pair has been stored: False then."""
        values: dict[str, Any] = {"freee_refresh_state": state}
        if state is RefreshState.NEEDS_CONSENT:
            values["needs_consent"] = True
        return self._token_update(connection_id, version, values=values)

    def pairs_to_keep(self) -> list[PairRow]:
        """Every pair that may be renewed, the one that ends soonest first."""
        query = (
            select(ConnectionTable.id, ConnectionTable.freee_refreshed_at, ConnectionTable.freee_expires_at)
            .where(
                ConnectionTable.freee_refresh_state == RefreshState.OK, ConnectionTable.freee_expires_at.is_not(None)
            )
            .order_by(ConnectionTable.freee_expires_at, ConnectionTable.id)
        )
        return [PairRow(row.id, row.freee_refreshed_at, row.freee_expires_at) for row in self._session.execute(query)]

    def refreshes_in_doubt(self, now: datetime) -> list[int]:
        """Connections whose refresh may have happened or not: its answer was lost, or the process that sent it died."""
        state = ConnectionTable.freee_refresh_state
        dead = (state == RefreshState.SENDING) & (ConnectionTable.freee_claimed_until < now)
        return list(self._session.scalars(select(ConnectionTable.id).where((state == RefreshState.UNKNOWN) | dead)))

    def _token_update(self, connection_id: int, version: int, *where: Any, values: dict[str, Any]) -> bool:
        mine = (ConnectionTable.id == connection_id, ConnectionTable.freee_version == version)
        return self._changed(update(ConnectionTable).where(*mine, *where).values(values)) == 1

    def _set(self, connection_id: int, **values: Any) -> None:
        self._session.execute(update(ConnectionTable).where(ConnectionTable.id == connection_id).values(values))


_OF_THE_TOKEN = ("missing_attributes", "employment_types", "attributes_checked_at")


def _moment(stored: str | None) -> datetime | None:
    return datetime.fromisoformat(stored) if stored else None


def _export_settings(stored: Mapping[str, Any] | None) -> ExportSettings | None:
    if stored is None:
        return None
    settings = ExportSettings(**stored)
    return replace(settings, pay_type=PayType(settings.pay_type))
