"""Everybody as a survey sees them: the people of both systems, and their links."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from types import MappingProxyType

from app.domain.completeness.listed import Listed
from app.domain.employee import EmployeeRecord
from app.domain.enums import System
from app.domain.matching.directory import Directory, PersonsOf, Register
from app.domain.matching.linking import LinkIndex
from app.domain.planning.declined import Declined
from app.domain.settings.connection_settings import Connection
from app.storage.links.rows import LinkRow
from app.use_cases.planning.hidden_people import Told
from app.use_cases.survey.survey_links import SurveyLinks

LARGE = 1_000


class Everybody:
    """All people of both systems as the lists show them, found by id, with the connection's links."""

    def __init__(
        self,
        connection: Connection,
        source: Sequence[EmployeeRecord],
        target: Sequence[EmployeeRecord],
        links: SurveyLinks,
        link_index: LinkIndex,
        *,
        declined: Mapping[str, Declined] = MappingProxyType({}),
        in_other_months: Mapping[str, EmployeeRecord] = MappingProxyType({}),
        incomplete: Mapping[System, Listed] = MappingProxyType({}),
        odd_masters: int = 0,
    ) -> None:
        """`declined`: source id → what a person has not chosen for them. `in_other_months`: freee id → the person as
        read in a month of their employment, for people whom freee hides in the month of the run; without a record where
        no month shows them. `incomplete`: the systems whose list could not be read whole. `odd_masters`: how
        many 役職 were left out."""
        self.incomplete, self.odd_masters = incomplete, odd_masters
        self.connection, self.declined, self.in_other_months = connection, declined, in_other_months
        self.links, self.link_index = links, link_index
        self.source, self.target = source, target
        self.sources, self.targets = Register(PersonsOf(source)), Directory(PersonsOf(target))
        self.source_by_id = RecordsById(source, self.sources)
        self.target_by_id = RecordsById(target, self.targets)

    def in_months(self, known: Mapping[str, EmployeeRecord]) -> Everybody:
        """The same people, these of freee as read in another month."""
        other = copy(self)
        other.in_other_months = known
        return other

    def identified(self, target: Told) -> Everybody:
        """The same people, some of the target's told anew. Nobody may ask this one any more (see `Directory`)."""
        other = copy(self)
        other.target, other.targets = target, self.targets.identified(PersonsOf(target), target.places)
        other.target_by_id = RecordsById(target, other.targets)
        return other

    @property
    def is_large(self) -> bool:
        """Whether what the pairs have agreed on does not fit into memory."""
        return len(self.source) > LARGE

    def link_of(self, source: EmployeeRecord) -> LinkRow | None:
        smarthr_id = self._smarthr_id(source.person.system, source.person.id)
        return self.links.of(smarthr_id) if smarthr_id else None

    def in_order(self, chosen: Sequence[EmployeeRecord] | None = None) -> Sequence[EmployeeRecord]:
        """Everybody of the source, or these; the links come in portions in this order."""
        self.expect(self.sources.ids if chosen is None else (record.person.id for record in chosen))
        return self.source if chosen is None else chosen

    def expect(self, source_ids: Iterable[str]) -> None:
        """From now on the links of these people of the source are asked for in this order. In another one each of them
        costs a portion."""
        system = self.source[0].person.system if self.source else System.SMARTHR
        self.links.in_order_of(self._smarthr_id(system, each) for each in source_ids)

    def _smarthr_id(self, system: System, person_id: str) -> str | None:
        return person_id if system is System.SMARTHR else self.link_index.partner(System.FREEE, person_id)


class RecordsById(Mapping[str, EmployeeRecord]):
    """Id → record, for those whose id can be read."""

    def __init__(self, records: Sequence[EmployeeRecord], places: Register) -> None:
        self._records, self._places = records, places

    def __getitem__(self, person_id: str) -> EmployeeRecord:
        place = self._places.place_of(person_id)
        if place is None:
            raise KeyError(person_id)
        return self._records[place]

    def __contains__(self, person_id: object) -> bool:
        return isinstance(person_id, str) and self._places.place_of(person_id) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._places.ids)

    def __len__(self) -> int:
        return len(self._places)
