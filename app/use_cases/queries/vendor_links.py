"""The addresses of the screens in SmartHR and freee where a user mends an employee's data.

Awase knows them for the vendors' real hosts, and for the practice company, whose vendors have one screen each. An
installation that is pointed to another host (a proxy, a sandbox) has none, so that a user is not sent to a stranger's
page.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from app.config import Settings
from app.domain.enums import System
from app.domain.settings.connection_settings import Connection
from app.domain.vendors.assumptions import FREEE_EMPLOYEE_PAGE, SMARTHR_CREW_PAGE

_SMARTHR_HOST = "{subdomain}.smarthr.jp"
_FREEE_HOST = "api.freee.co.jp"


def vendor_page(settings: Settings, connection: Connection, system: System, person_id: str | None) -> str | None:
    """The address of this person's page, or None where Awase knows none."""
    if not person_id:
        return None
    if settings.practice_path:
        parts = urlsplit(settings.smarthr_url if system is System.SMARTHR else settings.freee_accounts_url)
        return f"{parts.scheme}://{parts.netloc}{settings.practice_path}"
    if system is System.SMARTHR:
        if urlsplit(settings.smarthr_url).netloc != _SMARTHR_HOST:
            return None
        return SMARTHR_CREW_PAGE.format(subdomain=connection.smarthr_subdomain, id=quote(person_id, safe=""))
    if urlsplit(settings.freee_api_url).netloc != _FREEE_HOST:
        return None
    return FREEE_EMPLOYEE_PAGE.format(id=quote(person_id, safe=""))
