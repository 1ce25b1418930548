"""By what SmartHR's refusals are recognised."""

from __future__ import annotations

from app.adapters.signs import DATES_TURNED_ROUND, NUMBER_TAKEN, OF_ITEMS, Sign, Signs

# fmt: off
SMARTHR = Signs(
    stable=(
        Sign("ip_not_permitted", r"\bip_not_permitted\b", "ip_not_permitted"),
        Sign("plan_limit", r"\bplan_limit_exceeded\b", "plan_limit_exceeded"),
        Sign("maintenance", r"\bservice_maintenance\b", "service_maintenance"),
        Sign("smarthr_subdomain_inactive", r"\bsubdomain\b.*\bis inactive\b", "subdomain awase-old is inactive"),
    ),
    texts=(DATES_TURNED_ROUND, NUMBER_TAKEN, *OF_ITEMS),
)
# fmt: on


def recognise(*, status: int, text: str) -> str:
    """The catalogue code of SmartHR's refusal. `text`: the answer's messages, types and codes joined by blanks, "" when
    the body could not be read."""
    if known := SMARTHR.stable_code(text):
        return known
    return "E19" if status == 403 else SMARTHR.code_by_status(status, text)
