"""What may travel unprotected: only what never leaves this machine, or what somebody has allowed by name."""

from __future__ import annotations

import ipaddress
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import Settings, SettingsError
from app.safety.addresses import broker_password, encryption, is_local

KEYS = {"SECRET_KEY": secrets.token_urlsafe(48), "ENCRYPTION_KEYS": secrets.token_urlsafe(48)}
STRONG = "mVt7Qx2pLz9Kd4Rw8Hs3Yb6Nc1Gf5Ja0"  # invented, and always the same: the names of the tests hold it
PRACTICE = {
    "PRACTICE_PATH": "/_practice/",
    "SMARTHR_URL": "http://127.0.0.1:8011/{subdomain}/api",
    "FREEE_API_URL": "http://localhost:8012/hr",
    "FREEE_ACCOUNTS_URL": "http://[::1]:8012",
}
REFUSED = [
    ("REDIS_URL", f"redis://:{STRONG}@queue:6379/0", "broker_plaintext"),
    ("REDIS_URL", "rediss://queue:6379/0", "broker_without_password"),
    ("REDIS_URL", "rediss://user@queue", "broker_without_password"),
    ("REDIS_URL", f"rediss://:{STRONG}@queue?ssl_cert_reqs=none", "broker_tls_unverified"),
    ("REDIS_URL", f"rediss://:{STRONG}@queue?ssl_check_hostname=False", "broker_tls_unverified"),
    ("REDIS_URL", f"redis://:{STRONG}@localhost?host=queue", "broker_plaintext"),
    ("SMTP_URL", "smtp://u:geheim@mail", "mail_password_plaintext"),
    ("BASE_URL", "http://awase.example.com", "base_url_plaintext"),
    ("SMARTHR_URL", "http://{subdomain}.smarthr.jp/api", "vendor_url_plaintext"),
    ("SMARTHR_URL", "http://{subdomain}/api", "vendor_url_plaintext"),
    ("FREEE_API_URL", "http://api.freee.co.jp/hr", "vendor_url_plaintext"),
    ("FREEE_ACCOUNTS_URL", "http://127.0.0.1@accounts.secure.freee.co.jp", "vendor_url_plaintext"),
    ("DATABASE_URL", "postgresql+psycopg://u:geheim@db/awase?sslmode=disable", "database_plaintext"),
    ("DATABASE_URL", "postgresql+psycopg://u:geheim@db/awase?sslmode=allow", "database_plaintext"),
    ("DATABASE_URL", "postgresql+psycopg://u:geheim@localhost/awase?host=db&sslmode=disable", "database_plaintext"),
]
TAKEN = [
    ("REDIS_URL", f"rediss://:{STRONG}@queue:6380/1"),
    ("REDIS_URL", "redis://127.0.0.1:6379"),
    ("REDIS_URL", "redis://[::1]:6379"),
    ("REDIS_URL", "redis://[::ffff:127.0.0.1]:6379"),
    ("REDIS_URL", "unix:///run/redis.sock"),
    ("SMTP_URL", "smtp://u:geheim@localhost:25"),
    ("SMTP_URL", "smtp://mail"),
    ("SMTP_URL", "smtps://u:geheim@mail"),
    ("SMTP_URL", "smtp+starttls://u:geheim@mail"),
    ("BASE_URL", "http://127.1.2.3:8000"),
    ("DATABASE_URL", "postgresql+psycopg://u:geheim@db/awase?sslmode=require"),
    ("DATABASE_URL", "postgresql+psycopg:///awase?host=/var/run/postgresql&sslmode=disable"),
]
ODD = ["\\", " ", "\t", "\n", "\x7f"]


def codes(**env: str) -> list[str]:
    return [fault.code for fault in Settings.examine({**KEYS, **env})[1]]


@pytest.mark.parametrize(("name", "value", "code"), REFUSED)
def test_what_leaves_the_machine_unprotected_is_refused_by_its_own_sentence(name: str, value: str, code: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_env({**KEYS, name: value})
    (fault,) = refusal.value.faults
    assert (fault.variable, fault.code) == (name, code)
    assert str(refusal.value).startswith(f"{name} ") and "ALLOW_PLAINTEXT" in fault.remedy
    assert "geheim" not in str(refusal.value) and STRONG not in str(refusal.value)


@pytest.mark.parametrize(("name", "value", "code"), REFUSED)
def test_it_is_taken_where_somebody_has_allowed_that_variable_and_no_other(name: str, value: str, code: str) -> None:
    assert codes(**{name: value, "ALLOW_PLAINTEXT": f" {name} ,"}) == []
    other = "BASE_URL" if name != "BASE_URL" else "SMTP_URL"
    assert codes(**{name: value, "ALLOW_PLAINTEXT": other}) == [code]


@pytest.mark.parametrize(("name", "value"), TAKEN)
def test_what_stays_here_or_is_protected_is_taken(name: str, value: str) -> None:
    assert codes(**{name: value}) == []


def test_a_wrong_exception_is_told_with_the_right_names() -> None:
    (fault,) = Settings.examine({**KEYS, "ALLOW_PLAINTEXT": "REDIS,SECRET_KEY"})[1]
    assert fault.code == "allow_plaintext_unknown"
    for name in ("'REDIS'", "'SECRET_KEY'", "REDIS_URL", "SMTP_URL", "BASE_URL"):
        assert name in fault.told


def test_the_practice_company_may_and_only_while_both_vendors_are_played_here() -> None:
    exposed = {"REDIS_URL": "redis://queue", "BASE_URL": "http://awase.example.com"}
    assert codes(**PRACTICE, **exposed) == []
    real = PRACTICE | {"FREEE_API_URL": "https://api.freee.co.jp/hr"}
    assert set(codes(**real, **exposed)) == {"broker_plaintext", "broker_without_password", "base_url_plaintext"}


@pytest.mark.parametrize("sign", ODD)
@pytest.mark.parametrize("name", ["REDIS_URL", "SMTP_URL", "BASE_URL", "DATABASE_URL"])
def test_what_two_libraries_read_differently_is_no_address(name: str, sign: str) -> None:
    scheme = {"REDIS_URL": "redis", "SMTP_URL": "smtp", "BASE_URL": "http", "DATABASE_URL": "postgresql"}[name]
    assert codes(**{name: f"{scheme}://evil{sign}@127.0.0.1/"}) == ["setting_malformed"]


@given(address=st.ip_addresses())
def test_an_address_is_local_exactly_when_it_is_loopback(address: ipaddress.IPv4Address) -> None:
    assert is_local(str(address)) == address.is_loopback


@given(host=st.integers(min_value=0, max_value=2**24 - 1))
def test_all_of_127_is_local_in_either_spelling(host: int) -> None:
    address = ipaddress.IPv4Address(0x7F000000 + host)
    assert is_local(str(address)) and is_local(f"::ffff:{address}") and is_local(f"[::ffff:{address}]")


@given(name=st.text("abcxyz019.-", min_size=1, max_size=12).map("n".__add__))
def test_no_other_name_is_local(name: str) -> None:
    for host in (f"{name}.localhost", f"localhost.{name}", f"{name}-localhost", f"127.0.0.1.{name}x"):
        assert not is_local(host)


@pytest.mark.parametrize("host", ["", None, "0.0.0.0", "127.1", "2130706433", "0x7f000001", "localhost.evil.example"])
def test_what_only_may_be_local_is_not(host: str | None) -> None:
    assert not is_local(host)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "::1", "::1%lo"])
def test_these_are_local(host: str) -> None:
    assert is_local(host)


def test_how_a_database_is_reached_by_what_its_driver_reads() -> None:
    url = "postgresql+psycopg://u@{}/awase{}"
    assert encryption(url.format("db", ""), {}) == "perhaps"
    assert encryption(url.format("db", ""), {"PGSSLMODE": "verify-full"}) == "always"
    assert encryption(url.format("db", "?sslmode=disable"), {"PGSSLMODE": "verify-full"}) == "never"
    assert encryption("postgresql+psycopg:///awase", {}) == "local"
    assert encryption("postgresql+psycopg:///awase", {"PGHOST": "db", "PGSSLMODE": "disable"}) == "never"
    assert encryption("postgresql+psycopg:///awase?host=127.0.0.1,db", {}) == "perhaps"


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("redis://:geheim@queue", "geheim"),
        ("redis://:geheim@localhost?host=queue", "geheim"),
        ("redis://:geheim@localhost?host=127.0.0.1", ""),
        ("unix:///run/valkey.sock?password=geheim", ""),
    ],
)
def test_a_password_of_a_broker_counts_where_it_leaves_this_machine(url: str, password: str) -> None:
    assert broker_password(url) == password
