"""With which settings a process starts: weak secrets only where an installation stands on them, and not for long."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.config import Settings, SettingsError
from app.domain.access.roles import Role
from app.safety.strength import REFUSED_FROM, only_warned
from app.storage.schema import in_use, migrate
from app.storage.unit_of_work import Database
from app.storage.vault import Vault
from app.wiring import admitted
from tests.restored import restored

ROOT = Path(__file__).resolve().parents[1]
STRONG = {"SECRET_KEY": secrets.token_urlsafe(48), "ENCRYPTION_KEYS": secrets.token_urlsafe(48)}
WEAK = [
    ("SECRET_KEY", "k" * 32),
    ("ENCRYPTION_KEYS", "an-invented-encryption-key"),
    ("ENCRYPTION_KEYS", STRONG["SECRET_KEY"]),
    ("FREEE_WEBHOOK_TOKEN", "t"),
    ("FREEE_CLIENT_SECRET", "changeme"),
    ("REDIS_URL", "rediss://:secret@queue"),
]


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in Settings.__dataclass_fields__:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {**STRONG, "DATA_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    with restored():
        yield monkeypatch


def with_a_user(url: str) -> None:
    migrate(url)
    with Database(url, Vault([STRONG["ENCRYPTION_KEYS"]])).unit_of_work() as uow:
        uow.users.add(
            login="jinji@example.com", password_hash="h", role=Role.ADMIN, now=datetime(2026, 11, 30, tzinfo=UTC)
        )


def test_weak_secrets_begin_nothing_new_and_end_nothing_that_stands(
    env: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/awase.db"
    for make in (lambda _url: None, migrate):  # no database yet; one in which nobody is
        make(url)
        for name, value in WEAK:
            with env.context() as only, pytest.raises(SettingsError, match=f"^{name} "):
                only.setenv(name, value)
                admitted()
    with_a_user(url)
    for name, value in WEAK:
        capsys.readouterr()
        with env.context() as only:
            only.setenv(name, value)
            assert [fault.variable for fault in admitted().weaknesses] == [name]
        (line,) = map(json.loads, capsys.readouterr().err.splitlines())
        assert (line["event"], line["variable"], line["level"]) == ("weak_secret", name, "warning")
        assert value not in (line["code"], line["variable"])


def test_strong_ones_ask_no_database(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert admitted().weaknesses == []
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_away_may_stand(env: pytest.MonkeyPatch) -> None:
    env.setenv("SECRET_KEY", "k" * 32)
    env.setenv("DATABASE_URL", "postgresql+psycopg://u:geheim@127.0.0.1:1/awase")
    assert admitted().weaknesses


def test_the_practice_company_may_have_any(env: pytest.MonkeyPatch) -> None:
    env.setenv("FREEE_WEBHOOK_TOKEN", "t")
    env.setenv("PRACTICE_PATH", "/_practice/")
    for name in ("SMARTHR_URL", "FREEE_API_URL", "FREEE_ACCOUNTS_URL"):
        env.setenv(name, "http://127.0.0.1:8011/{subdomain}")
    assert admitted().weaknesses == []


@pytest.mark.sql
def test_an_installation_is_one_with_a_user(empty_url: Callable[[Path], str], tmp_path: Path) -> None:
    url = empty_url(tmp_path)
    assert not in_use(url)
    migrate(url)
    assert not in_use(url)
    with_a_user(url)
    assert in_use(url)


def test_the_version_that_refuses_is_the_next_one() -> None:
    """Whoever raises the version past it takes the warning out of code and texts."""
    assert only_warned()
    assert only_warned("0.1.99") and not only_warned("0.2.0") and not only_warned("1.0.0")
    assert REFUSED_FROM == (0, 2)


@pytest.mark.reach("all")
@pytest.mark.processes
def test_refused_settings_end_every_process_with_sentences(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "LANG": "C.UTF-8", "FLASK_SKIP_DOTENV": "1"}
    env |= {**STRONG, "REDIS_URL": "redis://u:geheim@queue", "BASE_URL": "http://awase.example.com"}
    for module in (["flask", "queue", "status"], ["workers.relay"], ["workers.worker", "bulk"], ["workers.broker"]):
        done = subprocess.run([sys.executable, "-m", *module], cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode in (1, 2), module
        assert set(re.findall(r"\[(\w+)\]$", done.stderr, flags=re.MULTILINE)) == {
            "broker_plaintext",
            "base_url_plaintext",
        }
        assert "Traceback" not in done.stderr and "geheim" not in done.stderr
    done = subprocess.run([sys.executable, "-m", "flask", "doctor", "--json"], cwd=ROOT, env=env, capture_output=True)
    assert done.returncode == 1
    told = {each["code"] for each in json.loads(done.stdout)["findings"]}
    assert {"broker_plaintext", "base_url_plaintext", "broker_unchecked", "database_missing"} <= told
    assert b"geheim" not in done.stdout + done.stderr
