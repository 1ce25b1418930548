"""The addresses of the screens in SmartHR and freee where a user mends an employee's data.

Awase knows them for the vendors' real hosts, and for the practice company, whose vendors have such pages, too. An
installation that is pointed to another host (a proxy, a sandbox) has none, so that a user is not sent to a stranger's
page.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit

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
        return _practice_page(settings, connection, system, person_id)
    if system is System.SMARTHR:
        if urlsplit(settings.smarthr_url).netloc != _SMARTHR_HOST:
            return None
        return SMARTHR_CREW_PAGE.format(subdomain=connection.smarthr_subdomain, id=quote(person_id, safe=""))
    if urlsplit(settings.freee_api_url).netloc != _FREEE_HOST:
        return None
    return FREEE_EMPLOYEE_PAGE.format(id=quote(person_id, safe=""))


def _practice_page(settings: Settings, connection: Connection, system: System, person_id: str) -> str:
    """`company` tells the practice companies apart, as all of a vendor listen at one address."""
    at_smarthr = system is System.SMARTHR
    parts = urlsplit(settings.smarthr_url if at_smarthr else settings.freee_accounts_url)
    company = connection.smarthr_subdomain if at_smarthr else str(connection.freee_company_id)
    path = f"{settings.practice_path}people/{quote(person_id, safe='')}?{urlencode({'company': company})}"
    return f"{parts.scheme}://{parts.netloc}{path}"
