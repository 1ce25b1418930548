"""The API keys as an administrator sees them, with who made each."""

from __future__ import annotations

from dataclasses import dataclass

from app.use_cases.accounts.api_keys import KeyView, list_keys
from app.use_cases.context import Context
from app.use_cases.queries.audit_trail import Party, party_of


@dataclass(frozen=True)
class ListedKey:
    """`made_by` None: an older version of Awase has made it, and did not keep by whom."""

    key: KeyView
    made_by: Party | None


def key_list(ctx: Context) -> list[ListedKey]:
    """Every key ever made, the newest first."""
    with ctx.unit_of_work().reading() as uow:
        logins = {str(user.id): user.login for user in uow.users.all()}
    found = reversed(list_keys(ctx))
    return [ListedKey(key, party_of(key.made_by, logins) if key.made_by else None) for key in found]
