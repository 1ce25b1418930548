"""flask doctor: each fault has its finding, what is down hides nothing else, and no secret is in any of it."""

from __future__ import annotations

import http.server
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import redis
from flask import Flask
from sqlalchemy import text

from app.config import Settings
from app.doctor.broker import look_at_broker
from app.doctor.clocks import compare, of_header
from app.doctor.database import look_at_database
from app.doctor.doctor import Check, diagnose
from app.doctor.files import look_at_disk, look_at_files
from app.doctor.mail import look_at_mail
from app.doctor.settings import judge_secrets
from app.doctor.web import judge_proxies, look_at_vendors, look_at_web, proxies
from app.safety.findings import Finding, Level, bad, notice, ok
from app.safety.high_water import Count, HighWater
from app.safety.identity import identity_in
from app.storage.access.sightings import PROXY_HEADERS
from app.storage.schema import migrate
from app.storage.unit_of_work import Database, make_engine
from app.storage.vault import Vault
from app.use_cases.household import LOST_BEATS
from app.use_cases.monitoring.sightings import TOLD_FOR
from app.web.cli.doctor import doctor_command
from app.web.cli.exit_codes import DONE, FAILED
from tests.adapters.test_mailer import Inbox, smtp
from tests.chaos.parts import Broker, broker_in
from tests.restored import restored
from tests.test_admission import with_a_user

KEYS = {"SECRET_KEY": secrets.token_urlsafe(48), "ENCRYPTION_KEYS": secrets.token_urlsafe(48)}
CLOSED = "127.0.0.1:1"
"""Nobody listens there."""


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    with restored():
        yield


def settings(folder: Path, **env: str) -> Settings:
    return Settings.from_env({**KEYS, "DATA_DIR": str(folder), **env})


def told(findings: Iterator[Finding] | list[Finding]) -> dict[str, Level]:
    return {each.code: each.level for each in findings}


# ── the whole ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_everything_down_and_refused_is_told_at_once_and_holds_no_secret(tmp_path: Path) -> None:
    canary = "kanariya-8f3a91"
    env = {
        "SECRET_KEY": canary,
        "ENCRYPTION_KEYS": canary,
        "FREEE_WEBHOOK_TOKEN": canary,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"postgresql+psycopg://u:{canary}@{CLOSED}/awase",
        "REDIS_URL": f"redis://:{canary}@queue",
        "SMTP_URL": f"smtps://u:{canary}@{CLOSED}",
        "PORT": "1",
        "LEASE_SECONDS": canary,
    }
    findings = diagnose(env)
    expected = {"setting_missing", "setting_malformed", "broker_plaintext", "secret_guessable", "secret_repeated"}
    expected |= {"database_away", "broker_unchecked", "mail_away", "web_away", "files_open", "disk_ok", "proxies_ok"}
    assert expected - {"files_open"} <= set(told(findings))
    assert canary not in repr(findings)


def test_what_hangs_has_its_time_and_a_bug_hides_nothing() -> None:
    def hang(_settings: Settings) -> list[Finding]:
        threading.Event().wait()
        return []

    def fall(_settings: Settings) -> list[Finding]:
        raise ZeroDivisionError("geheim")

    began = time.monotonic()
    checks = [
        Check("slow", "遅いもの", hang, seconds=0.2),
        Check("bug", "誤り", fall),
        Check("well", "よいもの", lambda _: [ok("well", "よい")]),
        Check("held", "止めたもの", hang, frozenset({"SECRET_KEY"})),
    ]
    findings = diagnose({}, checks=checks)
    assert time.monotonic() - began < 5
    assert told(findings) == {
        "setting_missing": Level.BAD,
        "support_contact_unset": Level.NOTICE,
        "slow_timeout": Level.BAD,
        "bug_failed": Level.BAD,
        "well": Level.OK,
        "held_unchecked": Level.NOTICE,
    }
    assert "ZeroDivisionError test_doctor.py" in repr(findings) and "geheim" not in repr(findings)


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([ok("a", "よい")], DONE),
        ([ok("a", "よい"), notice("b", "注意する", "こうする")], DONE),
        ([notice("b", "注意する", "こうする"), bad("c", "悪い", "ああする")], FAILED),
    ],
)
def test_it_ends_as_other_commands_do_and_tells_programs_the_same(findings: list[Finding], code: int) -> None:
    app = Flask(__name__)
    asked: list[bool] = []

    def found(*, vendors: bool) -> list[Finding]:
        asked.append(vendors)
        return findings

    app.cli.add_command(doctor_command(found))
    plain = app.test_cli_runner().invoke(args=["doctor", "--vendors"])
    programs = app.test_cli_runner().invoke(args=["doctor", "--json"])
    assert (plain.exit_code, programs.exit_code, asked) == (code, code, [True, False])
    for each in findings:
        assert each.sentence in plain.output and each.remedy in plain.output and each.code in plain.output
    read = json.loads(programs.output)
    assert [tuple(each.values()) for each in read["findings"]] == [astuple(each) for each in findings]
    assert read["ok"] == (code == DONE)


# ── settings, files, disk ─────────────────────────────────────────────────────────────────────────────────────────────


def test_weak_secrets_are_as_bad_as_they_are_for_this_installation(tmp_path: Path) -> None:
    weak = settings(tmp_path, SECRET_KEY="k" * 32)
    assert told(judge_secrets(weak)) == {"secret_guessable": Level.BAD}
    with_a_user(weak.database_url)
    assert told(judge_secrets(weak)) == {"secret_guessable": Level.NOTICE}
    assert told(judge_secrets(settings(tmp_path))) == {"secrets_ok": Level.OK}


@pytest.mark.parametrize(
    ("env", "code"),
    [
        ({"ALLOW_PLAINTEXT": "REDIS_URL", "REDIS_URL": "redis://queue"}, "allow_plaintext_used"),
        ({"ALLOW_PLAINTEXT": "BASE_URL"}, "allow_plaintext_unneeded"),
        ({"SMTP_URL": "smtp://mail"}, "mail_plaintext"),
        ({"SUPPORT_CONTACT": ""}, "support_contact_unset"),
        ({"DATABASE_URL": "postgresql+psycopg://u@db/awase"}, "database_tls_optional"),
    ],
)
def test_what_is_allowed_or_could_be_better_is_said(env: dict[str, str], code: str) -> None:
    assert code in told(diagnose({**KEYS, **env}, checks=()))


def test_nothing_is_said_of_a_contact_that_is_set() -> None:
    assert "support_contact_unset" not in told(diagnose({**KEYS, "SUPPORT_CONTACT": "help@example.com"}, checks=()))


def test_open_files_are_named_few_and_without_what_a_link_leads_to(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    assert told(look_at_files(settings(folder))) == {"data_dir_missing": Level.NOTICE}
    folder.mkdir(mode=0o700)
    (folder / "link").symlink_to("/etc/hostname")
    (folder / "awase.db").touch(0o600)
    assert told(look_at_files(settings(folder))) == {"files_ok": Level.OK}
    for number in range(9):
        (folder / f"open-{number}").touch()
        (folder / f"open-{number}").chmod(0o640)
    (found,) = look_at_files(settings(folder))
    assert (found.code, found.sentence.count("open-")) == ("files_open", 5)
    elsewhere = tmp_path / "elsewhere.db"
    elsewhere.touch()
    elsewhere.chmod(0o604)
    (found,) = look_at_files(settings(tmp_path / "tidy", DATABASE_URL=f"sqlite:///{elsewhere}"))
    assert found.code == "data_dir_missing"
    (tmp_path / "tidy").mkdir(mode=0o700)
    (found,) = look_at_files(settings(tmp_path / "tidy", DATABASE_URL=f"sqlite:///{elsewhere}"))
    assert str(elsewhere) in found.sentence


def test_a_file_of_secrets_that_others_read_is_named(tmp_path: Path) -> None:
    secrets_file = tmp_path / "keys"
    secrets_file.write_text(f"SECRET_KEY={KEYS['SECRET_KEY']}", encoding="utf-8")
    secrets_file.chmod(0o640)
    (tmp_path / "tidy").mkdir(mode=0o700)
    given = settings(tmp_path / "tidy", SECRETS_FILE=str(secrets_file))
    (found,) = look_at_files(given)
    assert found.code == "files_open" and str(secrets_file) in found.sentence
    secrets_file.chmod(0o600)
    assert told(look_at_files(given)) == {"files_ok": Level.OK}


def test_a_systems_folder_is_told_and_not_searched() -> None:
    assert "data_dir_shared" in told(look_at_files(settings(Path("/tmp"))))


def test_the_disk_is_measured_where_the_folder_will_be(tmp_path: Path) -> None:
    (found,) = look_at_disk(settings(tmp_path / "not" / "yet"))
    assert found.code in ("disk_ok", "disk_low")


# ── database ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.sql
def test_the_tables_of_every_age_are_told(empty_url: Callable[[Path], str], tmp_path: Path) -> None:
    url = empty_url(tmp_path)
    here = settings(tmp_path, DATABASE_URL=url)
    empty = told(look_at_database(here))
    assert empty in ({"database_missing": Level.BAD}, {**empty, "migrations_behind": Level.BAD})
    migrate(url, "0010")
    assert told(look_at_database(here))["migrations_behind"] is Level.BAD
    migrate(url)
    found = told(look_at_database(here))
    assert found.pop("database_clock_ok", Level.OK) is Level.OK
    assert found == {"database_ok": Level.OK, "migrations_ok": Level.OK}
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    assert told(look_at_database(here))["migrations_ahead"] is Level.NOTICE


@pytest.mark.database("sqlite")
def test_a_copy_and_two_houses_are_told(migrated_url: Callable[[Path], str], tmp_path: Path) -> None:
    here = settings(tmp_path, DATABASE_URL=migrated_url(tmp_path))
    database = Database(here.database_url, Vault(here.encryption_keys))
    mine, now = identity_in(here.house_place, bound=True), datetime.now(UTC)
    with database.unit_of_work() as uow:
        uow.houses.claim(mine.digest, now)
    assert told(look_at_database(here))["house_ok"] is Level.OK
    with database.unit_of_work() as uow:
        uow.houses.adopt("f" * 64, now)
        for name, house in (("web@here:1", mine.mark), ("web@there:1", "another")):
            uow.processes.beat(name, known={}, using={}, started_at=now, now=now, house=house)
    database.dispose()
    found = told(look_at_database(here))
    assert (found["house_rests"], found["two_houses"]) == (Level.BAD, Level.BAD)
    here.house_place.write_text("short")
    assert told(look_at_database(here))["no_identity"] is Level.BAD


@pytest.mark.database("sqlite")
def test_a_database_that_was_put_back_is_told(migrated_url: Callable[[Path], str], tmp_path: Path) -> None:
    here = settings(tmp_path, DATABASE_URL=migrated_url(tmp_path))
    database = Database(here.database_url, Vault(here.encryption_keys))
    now = datetime.now(UTC)
    with database.unit_of_work() as uow:
        uow.houses.claim(identity_in(here.house_place, bound=True).digest, now)
    database.dispose()
    HighWater(here.beats_places).note(Count(now, LOST_BEATS))
    assert told(look_at_database(here))["house_ok"] is Level.OK
    HighWater(here.beats_places).note(Count(now, LOST_BEATS + 1))
    assert told(look_at_database(here))["house_restored"] is Level.BAD


def test_looking_makes_no_file(tmp_path: Path) -> None:
    assert told(look_at_database(settings(tmp_path))) == {"database_missing": Level.BAD}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", [f"postgresql+psycopg://u:geheim@{CLOSED}/a", "postgresql+nodriver://u:geheim@h/a"])
def test_a_database_that_cannot_be_reached_is_one_finding(tmp_path: Path, url: str) -> None:
    (found,) = look_at_database(settings(tmp_path, DATABASE_URL=url))
    assert (found.level, found.code) == (Level.BAD, "database_away")
    assert "geheim" not in repr(found)


# ── broker ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = broker_in(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.mark.processes
def test_a_broker_that_refuses_or_throws_away_is_not_well(broker: Broker, tmp_path: Path) -> None:
    here = settings(tmp_path)
    well = ["broker_ok", "broker_writes_ok", "broker_memory_ok", "broker_clock_ok"]
    assert [*told(look_at_broker(here))] == well
    with redis.Redis.from_url(here.redis_url) as control:
        assert control.dbsize() == 0  # nothing is left behind
        control.config_set("maxmemory-policy", "allkeys-lru")
        assert told(look_at_broker(here))["broker_evicts"] is Level.NOTICE
        control.config_set("maxmemory-policy", "noeviction")
        control.config_set("maxmemory", "1")
        refused = next(each for each in look_at_broker(here) if each.code == "broker_refuses_writes")
        assert refused.level is Level.BAD and "OutOfMemoryError" in refused.sentence
        control.config_set("maxmemory", "0")
        control.replicaof("127.0.0.1", "1")
        refused = next(each for each in look_at_broker(here) if each.code == "broker_refuses_writes")
        assert "ReadOnlyError" in refused.sentence
        control.replicaof("NO", "ONE")
        control.config_set("requirepass", "geheim")
    assert told(look_at_broker(here)) == {"broker_refuses": Level.BAD}
    broker.stop()
    assert told(look_at_broker(here)) == {"broker_away": Level.BAD}


# ── mail ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def mail(port: int, folder: Path, *, scheme: str = "smtp", user: str = "") -> dict[str, Level]:
    return told(look_at_mail(settings(folder, SMTP_URL=f"{scheme}://{user}127.0.0.1:{port}")))


def test_the_mail_server_is_asked_and_gets_no_mail(tmp_path: Path) -> None:
    inbox = Inbox()
    with smtp(inbox) as port:
        assert mail(port, tmp_path) == {"mail_ok": Level.OK}
        assert mail(port, tmp_path, scheme="smtp+starttls") == {"mail_without_tls": Level.BAD}
    options = {"authenticator": inbox.sign_in, "auth_require_tls": False, "auth_required": True}
    with smtp(inbox, **options) as port:
        assert mail(port, tmp_path, user="u:p%40ss%2Fword@") == {"mail_ok": Level.OK}
        assert mail(port, tmp_path, user="u:geheim@") == {"mail_login_refused": Level.BAD}
    assert mail(port, tmp_path) == {"mail_away": Level.BAD}
    assert inbox.mails == [] and len(inbox.signed_in) >= 2


# ── web process, proxies, vendors, clocks ─────────────────────────────────────────────────────────────────────────────


@contextmanager
def http_server(status: int, *, late: timedelta = timedelta()) -> Iterator[int]:
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(datetime.now(UTC) - late, usegmt=True)

        def log_message(self, *_words: object) -> None:
            return None

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("status", "code"), [(200, "web_ok"), (503, "web_not_ready")])
@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0"])
def test_the_web_process_is_asked_whether_it_can_accept(tmp_path: Path, status: int, code: str, bind: str) -> None:
    with http_server(status) as port:
        assert [*told(look_at_web(settings(tmp_path, BIND=bind, PORT=str(port))))] == [code]


def test_vendors_are_asked_without_a_token_and_for_the_time(tmp_path: Path) -> None:
    with http_server(401, late=timedelta(hours=1)) as port:
        url = f"http://127.0.0.1:{port}"
        env = {"FREEE_API_URL": url, "FREEE_ACCOUNTS_URL": f"http://{CLOSED}", "SMARTHR_URL": f"{url}/{{subdomain}}"}
        assert told(look_at_vendors(settings(tmp_path, **env))) == {
            "freee_accounts_away": Level.BAD,
            "freee_api_ok": Level.OK,
            "freee_api_clock": Level.BAD,
            "smarthr_unchecked": Level.NOTICE,
        }


@pytest.mark.parametrize(
    ("env", "seen", "code", "level"),
    [
        ({}, False, "proxies_ok", Level.OK),
        ({"TRUSTED_PROXIES": "1", "BASE_URL": "https://a.example"}, False, "proxies_ok", Level.OK),
        ({"BASE_URL": "https://a.example"}, False, "proxy_expected", Level.NOTICE),
        ({"BASE_URL": "https://a.example"}, True, "proxy_untold", Level.BAD),
        ({}, True, "proxy_untold", Level.BAD),
        ({"TRUSTED_PROXIES": "1", "BIND": "0.0.0.0"}, True, "proxy_avoidable", Level.NOTICE),
    ],
)
def test_proxies_and_what_is_told_of_them_agree(
    tmp_path: Path, env: dict[str, str], seen: bool, code: str, level: Level
) -> None:
    moment = datetime(2026, 11, 30, tzinfo=UTC) if seen else None
    assert told(proxies(settings(tmp_path, **env), forwarded_seen=moment)) == {code: level}


def test_a_proxy_that_requests_have_shown_is_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'awase.db'}"
    migrate(url)
    given = settings(tmp_path, DATABASE_URL=url)
    assert told(judge_proxies(given)) == {"proxies_ok": Level.OK}
    database = Database(url, Vault(given.encryption_keys))
    for age, expected in [
        (TOLD_FOR + timedelta(minutes=1), {"proxies_ok": Level.OK}),
        (TOLD_FOR - timedelta(minutes=1), {"proxy_untold": Level.BAD}),
    ]:
        with database.unit_of_work() as uow:
            uow.sightings.note(PROXY_HEADERS, now=datetime.now(UTC) - age)
        assert told(judge_proxies(given)) == expected, "a single header of long ago is forgotten, as in the engine room"
    database.dispose()


@pytest.mark.parametrize(
    ("off", "expected"),
    [
        *((seconds, Level.OK) for seconds in (0, 3, -3)),
        *((seconds, Level.NOTICE) for seconds in (30, -30)),
        *((seconds, Level.BAD) for seconds in (90, -3600)),
    ],
)
def test_a_clock_is_as_bad_as_it_is_wrong(off: int, expected: Level) -> None:
    (found,) = compare("x", "相手", datetime.now(UTC) + timedelta(seconds=off))
    assert found.level is expected
    if expected is not Level.OK:
        assert ("進んで" if off > 0 else "遅れて") in found.sentence


def test_a_host_with_a_wrong_clock_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'awase.db'}"
    migrate(url)
    given = settings(tmp_path, DATABASE_URL=url)
    database, now = Database(url, Vault(given.encryption_keys)), datetime(2026, 11, 30, tzinfo=UTC)
    told_at = {
        "cron@right:1": (0.2, now),
        "cron@wrong:1": (-300.0, now),
        "cron@gone:1": (900.0, now - timedelta(hours=1)),
    }
    with database.unit_of_work() as uow:
        for name, (skew, at) in told_at.items():
            uow.processes.beat(name, known={}, using={}, started_at=at, now=at, clock_skew=skew)
    database.dispose()
    (found,) = [each for each in look_at_database(given) if each.code == "process_clock"]
    assert found.level is Level.BAD
    assert found.sentence == "cron@wrong:1 のホストの時計は、データベースより 300 秒遅れています。"


@pytest.mark.parametrize("header", [None, "", "yesterday", "32 Foo"])
def test_what_is_no_date_is_no_clock(header: str | None) -> None:
    assert of_header(header) is None
    assert list(compare("x", "相手", of_header(header))) == []
