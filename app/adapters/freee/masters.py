"""What freee's API tells of names that are kept once for the whole company."""

from __future__ import annotations

from datetime import date

from app.adapters.freee.client import PAGE, FreeeClient
from app.domain.runs.dates import closing_month


class Masters:
    """A part of `FreeeGateway`."""

    _client: FreeeClient

    def known_positions(self) -> frozenset[str] | None:
        """None, because a title is free text in freee; Awase does not write freee's 役職 master."""
        return None

    def known_pay_schedules(self, *, as_of_date: date, pages: int) -> tuple[frozenset[str], bool]:
        """freee lists no 締め日支払い日 groups, but each of its people has the name of one."""
        month, names = closing_month(as_of_date, None), set[str]()
        for page in range(pages):
            people = self._client.list_employees(month, page * PAGE)["employees"]
            names |= {person.get("company_reference_date_rule_name") or "" for person in people}
            if len(people) < PAGE:
                return frozenset(names - {""}), True
        return frozenset(names - {""}), False
