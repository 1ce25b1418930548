"""Several freee companies under one registered application, behind one address.

A call is the company's for which its token was made, as at freee; a consent is that of the company that was chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from flask import Flask

from app.practice.freee.oauth import CHOSEN
from app.practice.freee.practice_freee import create_freee, freee_of
from app.practice.freee.registration import Registration
from app.practice.staff.practice_company import PracticeCompany
from app.practice.vendor_kit.companies import Companies, body_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def create_companies(companies: Sequence[PracticeCompany], **options: Any) -> tuple[Companies, list[Flask]]:
    """All of them as one WSGI app, and each one's own app. `options`: as `create_freee` takes them, for all."""
    apps: dict[str, Flask] = {}
    first: Flask | None = None
    for each in companies:
        made = create_freee(each, **options, beside=first)
        first = first or made
        apps[str(each.tenant.company_id)] = made
    assert first is not None, "at least one company"
    registration = freee_of(first).registration
    names = {str(each.tenant.company_id): each.tenant.company_name for each in companies}
    return Companies(apps, names=names, of_call=lambda environ: _whose(environ, registration)), list(apps.values())


def _whose(environ: WSGIEnvironment, registration: Registration) -> str | None:
    """The company's id; None when the call does not tell it, which the first company then refuses as freee would."""
    path = str(environ.get("PATH_INFO", ""))
    if path == "/public_api/authorize":
        return _first(parse_qs(str(environ.get("QUERY_STRING", ""))), CHOSEN)
    with registration.lock:
        if path.startswith("/public_api/"):
            sent = parse_qs(body_of(environ).decode("utf-8", errors="replace"))
            tokens = (_first(sent, "refresh_token"), _first(sent, "token"))
            found = registration.company_of_code(_first(sent, "code") or "")
            found = found or next((registration.company_of_token(each) for each in tokens if each), None)
        else:
            found = registration.company_of_token(_bearer(environ))
    return str(found.tenant.company_id) if found else None


def _bearer(environ: WSGIEnvironment) -> str:
    return str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")[2]


def _first(values: dict[str, list[str]], name: str) -> str | None:
    return next(iter(values.get(name, [])), None)
