"""Several SmartHR tenants behind one address. The subdomain, the first part of each path, says whose a call is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask import Flask

from app.practice.smarthr.practice_smarthr import create_smarthr
from app.practice.staff.practice_company import PracticeCompany
from app.practice.vendor_kit.companies import Companies

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def create_tenants(companies: Sequence[PracticeCompany], **options: Any) -> tuple[Companies, list[Flask]]:
    """All of them as one WSGI app, and each one's own app. `options`: as `create_smarthr` takes them, for all."""
    apps = {each.tenant.subdomain: create_smarthr(each, **options) for each in companies}
    names = {each.tenant.subdomain: each.tenant.connection_name for each in companies}
    return Companies(apps, names=names, of_call=_subdomain), list(apps.values())


def _subdomain(environ: WSGIEnvironment) -> str:
    return str(environ.get("PATH_INFO", "")).lstrip("/").partition("/")[0]
