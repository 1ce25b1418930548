"""Whether a password that a person has chosen is good enough: the rule of the domain, with the words that whoever
guesses at this very account would try first."""

from __future__ import annotations

from app.domain.access.passwords import check_password
from app.use_cases.context import Context

_MOST_COMPANIES = 20


def check_chosen(ctx: Context, password: str, *, login: str) -> None:
    """Raises Refused as `check_password` does."""
    with ctx.unit_of_work().reading() as uow:
        companies = [each.name for each in uow.connections.list_all()[:_MOST_COMPANIES]]
    check_password(password, login=login, words=companies)
