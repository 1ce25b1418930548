"""Links into both products: to the vendors' real hosts, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.config import Settings
from app.domain.enums import System
from app.domain.settings.connection_settings import Connection
from app.use_cases.shared.vendor_links import vendor_page

CONNECTION = Connection(1, "renshu", "見本", smarthr_subdomain="mihon", freee_company_id=7, export_settings=None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    env = {"DATA_DIR": str(tmp_path), "SECRET_KEY": "k" * 32, "ENCRYPTION_KEYS": "an-invented-encryption-key"}
    return Settings.from_env(env)


def test_at_the_vendors(settings: Settings) -> None:
    smarthr = vendor_page(settings, CONNECTION, System.SMARTHR, "a-crew")
    assert smarthr == "https://mihon.smarthr.jp/crews/a-crew"
    freee = vendor_page(settings, CONNECTION, System.FREEE, "100")
    assert freee is not None and freee.startswith("https://p.secure.freee.co.jp/") and freee.endswith("/100")


def test_an_id_cannot_lead_elsewhere(settings: Settings) -> None:
    assert (
        vendor_page(settings, CONNECTION, System.SMARTHR, "../x?y#z") == "https://mihon.smarthr.jp/crews/..%2Fx%3Fy%23z"
    )


def test_nobody_there_has_no_page(settings: Settings) -> None:
    assert vendor_page(settings, CONNECTION, System.SMARTHR, None) is None
    assert vendor_page(settings, CONNECTION, System.FREEE, "") is None


def at_home(settings: Settings, *, practice_path: str = "") -> Settings:
    """Vendors on this machine."""
    return replace(
        settings,
        smarthr_url="http://127.0.0.1:1/{subdomain}/api",
        freee_api_url="http://127.0.0.1:2/hr",
        freee_accounts_url="http://127.0.0.1:2",
        practice_path=practice_path,
    )


def test_elsewhere_there_is_none(settings: Settings) -> None:
    elsewhere = at_home(settings)
    for system in System:
        assert vendor_page(elsewhere, CONNECTION, system, "1") is None


def test_the_practice_vendors_show_the_person_in_the_right_company(settings: Settings) -> None:
    practice = at_home(settings, practice_path="/_practice/")
    smarthr = vendor_page(practice, CONNECTION, System.SMARTHR, "a/crew")
    assert smarthr == "http://127.0.0.1:1/_practice/people/a%2Fcrew?company=mihon"
    assert vendor_page(practice, CONNECTION, System.FREEE, "1") == "http://127.0.0.1:2/_practice/people/1?company=7"
    assert vendor_page(practice, CONNECTION, System.FREEE, None) is None
