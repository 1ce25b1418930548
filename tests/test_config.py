"""Settings: every refusal names its variable, keeps the value to itself, and the defaults stand."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path

import pytest
import redis
from sqlalchemy.engine import make_url

from app.config import Settings, SettingsError, Window
from app.safety.socket_path import LONGEST_SOCKET_PATH, embedded_socket

NEEDED = {"SECRET_KEY": "s" * 32, "ENCRYPTION_KEYS": "k"}
NUMBERS = ["LIMITER_PATIENCE", "RETRY_BASE_SECONDS"]
PERIODS = ["LEASE_SECONDS", "RECONCILE_SECONDS", "RELAY_SECONDS", "RUN_DEADLINE_HOURS", "ITEM_SECONDS"]
WHOLE = [
    *("MAX_STARTS", "MAX_ATTEMPTS", "BULK_FROM", "WORKERS_INTERACTIVE", "WORKERS_BULK", "RETENTION_DAYS"),
    *("PORT", "WEB_THREADS", "WORKER_THREADS", "CONNECTION_JOBS"),
]
URLS = ["BASE_URL", "SMARTHR_URL", "FREEE_API_URL", "FREEE_ACCOUNTS_URL"]


def read(**env: str) -> Settings:
    return Settings.from_env({**NEEDED, **env})


def refused(**env: str) -> str:
    with pytest.raises(SettingsError) as refusal:
        read(**env)
    return str(refusal.value)


def test_the_two_required_ones_are_enough() -> None:
    settings = read()
    assert settings.data_dir == Path("var").absolute()
    assert settings.smarthr_url == "https://{subdomain}.smarthr.jp/api"
    assert settings.freee_api_url == "https://api.freee.co.jp/hr"
    assert settings.freee_accounts_url == "https://accounts.secure.freee.co.jp"
    assert settings.smarthr_limits == (Window(8, 1.0), Window(4250, 3600.0))
    assert settings.freee_limits == (Window(20, 10.0), Window(8500, 3600.0))
    assert (settings.lease_seconds, settings.port, settings.log_level) == (30.0, 8000, "INFO")


def test_an_empty_variable_is_an_unset_one() -> None:
    everything = {name.upper(): "" for name in Settings.__dataclass_fields__ if name.upper() not in NEEDED}
    assert read(**everything) == read()


@pytest.mark.parametrize("name", list(NEEDED))
@pytest.mark.parametrize("value", [None, "", ","])
def test_a_missing_key_is_refused(name: str, value: str | None) -> None:
    env = {key: text for key, text in NEEDED.items() if key != name} | ({} if value is None else {name: value})
    with pytest.raises(SettingsError, match=f"^{name} "):
        Settings.from_env(env)


def test_a_short_secret_is_refused_without_being_shown() -> None:
    told = refused(SECRET_KEY="kurz-und-geheim")
    assert told.startswith("SECRET_KEY ")
    assert "geheim" not in told


def test_encryption_keys_are_a_list() -> None:
    assert read(ENCRYPTION_KEYS=" new , old,").encryption_keys == ("new", "old")


@pytest.mark.parametrize("name", NUMBERS + PERIODS + WHOLE)
@pytest.mark.parametrize("value", ["many", "-1", "nan", "inf", "1e400", "1,5"])
def test_a_number_that_is_none_is_refused(name: str, value: str) -> None:
    assert refused(**{name: value}).startswith(f"{name} ")


@pytest.mark.parametrize("name", PERIODS + WHOLE)
def test_nothing_may_last_or_count_zero(name: str) -> None:
    """A lease of 0 seconds has always run out; a relay without a pause takes a whole processor."""
    assert refused(**{name: "0"}).startswith(f"{name} ")


@pytest.mark.parametrize("name", NUMBERS)
def test_a_patience_may_be_zero(name: str) -> None:
    assert getattr(read(**{name: "0"}), name.lower()) == 0.0


@pytest.mark.parametrize("name", WHOLE)
def test_half_a_thing_is_refused(name: str) -> None:
    assert refused(**{name: "1.5"}).startswith(f"{name} ")


def test_ports_end_somewhere() -> None:
    assert read(PORT="65535").port == 65_535
    assert refused(PORT="65536").startswith("PORT ")


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize("value", ["example.com", "ftp://example.com", "https://", "http://[::1", "https://a:port/"])
def test_an_address_that_is_none_is_refused(name: str, value: str) -> None:
    assert refused(**{name: value}).startswith(f"{name} ")


def test_the_tenants_place_must_be_in_smarthrs_address() -> None:
    assert refused(SMARTHR_URL="https://renshu.smarthr.jp/api").startswith("SMARTHR_URL ")


def test_a_slash_at_the_end_is_not_part_of_an_address() -> None:
    assert read(BASE_URL="https://awase.example.com/").base_url == "https://awase.example.com"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u:geheim@db/awase"),
        ("DATABASE_URL", "postgres://u:geheim@db/awase"),
        ("DATABASE_URL", "/srv/geheim.db"),
        ("REDIS_URL", "u:geheim@queue"),
        ("REDIS_URL", "http://u:geheim@queue"),
        ("REDIS_URL", "redis://u:geheim@queue:port"),
        ("REDIS_URL", "unix://"),
        ("SMTP_URL", "u:geheim@mail"),
        ("SMTP_URL", "http://u:geheim@mail"),
        ("SMTP_URL", "smtp://u:geheim@"),
        ("SMTP_URL", "smtp://u:geheim@mail:port"),
    ],
)
def test_a_refused_address_keeps_its_password(name: str, value: str) -> None:
    told = refused(**{name: value})
    assert told.startswith(f"{name} ")
    assert "geheim" not in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql+psycopg://u:p@db/awase"),
        ("DATABASE_URL", "sqlite:////srv/awase.db"),
        ("REDIS_URL", "rediss://:p@queue:6380/1"),
        ("REDIS_URL", "unix:///run/redis.sock?db=1"),
        ("SMTP_URL", "smtp+starttls://u:p@mail:587"),
    ],
)
def test_addresses_that_are_taken_as_they_are(name: str, value: str) -> None:
    assert getattr(read(**{name: value}), name.lower()) == value


@pytest.mark.parametrize("contact", ["", "help@example.com", "https://help.example/awase?a=1"])
def test_where_help_is_to_be_had_is_an_address(contact: str) -> None:
    assert read(SUPPORT_CONTACT=contact).support_contact == contact


@pytest.mark.parametrize("contact", ["ask us", "javascript:alert(1)", "a@b@c", "https://", "https://u:p@x/", "<a@b>"])
def test_what_leads_nowhere_is_no_contact(contact: str) -> None:
    assert refused(SUPPORT_CONTACT=contact).startswith("SUPPORT_CONTACT ")


@pytest.mark.parametrize("name", ["SMARTHR_LIMITS", "FREEE_LIMITS"])
@pytest.mark.parametrize("value", ["8", "0/s", "8/0s", "8/d", "8 pro s", "-1/s", ",", " , "])
def test_a_limit_that_is_none_is_refused(name: str, value: str) -> None:
    """Above all an empty list, which would mean no limit at all."""
    assert refused(**{name: value}).startswith(f"{name} ")


@pytest.mark.parametrize("level", ["debug", "WARNING"])
def test_log_levels(level: str) -> None:
    assert read(LOG_LEVEL=level).log_level == level.upper()
    assert refused(LOG_LEVEL="loud").startswith("LOG_LEVEL ")


def test_secrets_are_not_shown() -> None:
    settings = read(
        SECRET_KEY="geheim" * 6,
        ENCRYPTION_KEYS="geheim",
        DATABASE_URL="postgresql+psycopg://u:geheim@db/awase",
        REDIS_URL="rediss://:geheim@queue",
        SMTP_URL="smtps://u:geheim@mail",
        FREEE_CLIENT_SECRET="geheim",
        FREEE_WEBHOOK_TOKEN="geheim",
    )
    assert "geheim" not in repr(settings)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_env(
            {
                "LEASE_SECONDS": "soon",
                "PORT": "0",
                "REDIS_URL": "redis://queue",
                "SMTP_URL": "smtp://u:geheim@mail",
                "ALLOW_PLAINTEXT": "BASE_URL,NOBODY",
            }
        )
    told = [(fault.variable, fault.code) for fault in refusal.value.faults]
    assert sorted(told) == [
        ("ALLOW_PLAINTEXT", "allow_plaintext_unknown"),
        ("ENCRYPTION_KEYS", "setting_missing"),
        ("LEASE_SECONDS", "setting_malformed"),
        ("PORT", "setting_malformed"),
        ("REDIS_URL", "broker_plaintext"),
        ("REDIS_URL", "broker_without_password"),
        ("SECRET_KEY", "setting_missing"),
        ("SMTP_URL", "mail_password_plaintext"),
    ]
    assert len(str(refusal.value).splitlines()) == len(told)
    assert "geheim" not in str(refusal.value)


def test_every_hidden_field_is_an_address_or_a_secret() -> None:
    """Whatever a new setting hides from logs is judged as one of the two, without a list that somebody forgets."""
    hidden = {each.name.upper() for each in dataclasses.fields(Settings) if not each.repr}
    filled = read(
        **{name: f"{name}-" + "1234567890" * 4 for name in hidden if not name.endswith("_URL") and name not in NEEDED}
    )
    assert hidden <= {*filled.urls, *filled.secrets}
    assert {
        each.name.upper() for each in dataclasses.fields(Settings) if each.name.endswith(("_url", "_endpoint"))
    } == {*filled.urls}


# ── folders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["plain", "with space", "100%", "a%20b", "a?b=c", "a#b", "練習", "a@b:c"])
def test_a_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    """Both addresses lead into it when read by the libraries that use them."""
    settings = read(DATA_DIR=str(tmp_path / name))
    assert make_url(settings.database_url).database == str(tmp_path / name / "awase.db")
    told = redis.Redis.from_url(settings.redis_url).connection_pool.connection_kwargs
    assert told["path"] == str(embedded_socket(tmp_path / name))


def test_a_socket_lies_in_the_data_folder_while_its_path_fits() -> None:
    fitting = Path("/" + "d" * (LONGEST_SOCKET_PATH - len("//broker.sock")))
    assert embedded_socket(fitting) == fitting / "broker.sock"
    longer = Path(f"{fitting}d")
    assert embedded_socket(longer).parent.parent == Path(tempfile.gettempdir())
    assert len(os.fsencode(embedded_socket(longer))) <= LONGEST_SOCKET_PATH


def test_bytes_are_counted_and_not_characters() -> None:
    japanese = Path("/" + "練" * (LONGEST_SOCKET_PATH // 3))
    assert embedded_socket(japanese).parent != japanese


def test_every_long_folder_has_a_socket_of_its_own() -> None:
    one, other = (Path("/" + "d" * 150 + end) for end in "ab")
    assert embedded_socket(one) == embedded_socket(one)
    assert embedded_socket(one) != embedded_socket(other)


def test_when_the_temporary_folder_is_too_long_as_well_there_is_tmp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("t" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    socket = embedded_socket(tmp_path / ("d" * 120))
    assert socket.parent.parent == Path("/tmp")
    assert len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH
