"""Which items of a person wait for a second person. Pure.

The account is five items or none, so it waits as a whole. An insurance number waits with a 標準報酬月額 of the same
insurance that the target does not hold yet, because freee takes the two only together; `target_limits` sees to that
once the income is taken out.
"""

from __future__ import annotations

from app.domain.mapping import FIELDS
from app.domain.settings.two_persons import TwoPersons

ACCOUNT = frozenset(row.key for row in FIELDS if row.group == "bank")
INCOME = frozenset({"health_standard_income", "pension_standard_income"})
_COVERED = {
    TwoPersons.OFF: frozenset[str](),
    TwoPersons.ACCOUNTS: ACCOUNT,
    TwoPersons.ACCOUNTS_AND_INCOME: ACCOUNT | INCOME,
}


def covered_by(mode: TwoPersons) -> frozenset[str]:
    """Keys of the items whose changes wait under this setting."""
    return _COVERED[mode]
