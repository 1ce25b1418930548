"""Known people: who somebody is whom a list does not show with kana and birth date, and whom Awase itself has created.

Per tenant, not per connection: several connections to one company share what one of them has read or created.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, or_, select

from app.domain.enums import System
from app.domain.matching.marks import Marks, Wanted
from app.storage.links.rows import Identity, KnownPerson
from app.storage.repository import Repository
from app.storage.tables.models import KnownPersonTable


class KnownPeopleRepository(Repository):
    """`uow.known_people`."""

    def of_tenant(self, system: System, tenant: str) -> dict[str, KnownPerson]:
        """Id → person."""
        return {each.person_id: each for each in self._found(*_of(system, tenant))}

    def made_since(self, system: System, tenant: str, since: datetime, like: Wanted | None) -> list[KnownPerson]:
        """The people whom Awase has created in this tenant since that moment, by whatever connection, or has found to
        be added: those who have a mark of the person who is looked for, or of whom it is not known. None: everybody."""
        table = KnownPersonTable
        since_then = (*_of(system, tenant), table.made_at >= since)
        if like is None:
            return self._found(*since_then)
        perhaps = or_(
            table.number_mark.in_(like.numbers),
            table.kana_mark.in_(like.kana),
            table.born_mark.in_(like.born),
            table.kana_mark.is_(None),
        )
        return self._found(*since_then, perhaps)

    def made_ids(self, system: System, tenant: str, person_ids: Sequence[str]) -> set[str]:
        """Who of these is known to be new already."""
        made = (*_of(system, tenant), KnownPersonTable.made_at.is_not(None))
        query = select(KnownPersonTable.person_id).where(*made, KnownPersonTable.person_id.in_(person_ids))
        return set(self._session.scalars(query))

    def keep(self, connection_id: int, system: System, tenant: str, known: Collection[KnownPerson]) -> None:
        """Store these people, in place of what is known of them."""
        for each in known:
            values = self._values(each)
            new = self._dialect.insert(KnownPersonTable).values(
                connection_id=connection_id, system=system, tenant=tenant, person_id=each.person_id, **values
            )
            if each.made_at is None:
                values.pop("made_at")  # whoever reads a person anew does not forget that Awase has created them
            self._session.execute(
                new.on_conflict_do_update(index_elements=["system", "tenant", "person_id"], set_=values)
            )

    def purge(self, read_before: datetime) -> int:
        """Delete what was read before that moment, because it holds personal data."""
        return self._changed(delete(KnownPersonTable).where(KnownPersonTable.read_at < read_before))

    def _found(self, *where: Any) -> list[KnownPerson]:
        return [self._person(record) for record in self._session.scalars(select(KnownPersonTable).where(*where))]

    def _person(self, record: KnownPersonTable) -> KnownPerson:
        return KnownPerson(
            record.person_id,
            record.employee_number,
            record.listed,
            _identity(self._vault.decrypt_json(record.identity_enc)) if record.identity_enc else None,
            record.read_at,
            record.made_at,
        )

    def _values(self, known: KnownPerson) -> dict[str, Any]:
        return {
            "employee_number": known.employee_number,
            "listed": known.listed,
            "identity_enc": self._vault.encrypt_json(_stored(known.identity)) if known.identity else None,
            "read_at": known.read_at,
            "made_at": known.made_at,
            **_mark_values(known.marks),
        }


def _mark_values(marks: Marks | None) -> dict[str, str | None]:
    if marks is None:
        return {"number_mark": None, "kana_mark": None, "born_mark": None}
    return {"number_mark": marks.number or None, "kana_mark": marks.kana, "born_mark": marks.born}


def _of(system: System, tenant: str) -> tuple[Any, ...]:
    return KnownPersonTable.system == system, KnownPersonTable.tenant == tenant


def _stored(identity: Identity) -> dict[str, Any]:
    born = identity.birth_date
    return {**asdict(identity), "birth_date": born.isoformat() if born else None}


def _identity(stored: dict[str, Any]) -> Identity:
    born = stored["birth_date"]
    return Identity(stored["last_name_kana"], stored["first_name_kana"], date.fromisoformat(born) if born else None)
