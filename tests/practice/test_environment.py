"""What a practice house takes from around it: nothing that leads to a real system, whatever the person has exported."""

from __future__ import annotations

import dataclasses
import os
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fakeredis
import pytest

from app.config import Settings
from app.practice.house.environment import (
    PASSED,
    SERVERS_PORTS,
    Ports,
    StartError,
    check_own_broker,
    environment,
    is_free,
    kept_secrets,
    without_password,
)
from app.practice.vendor_kit.private_files import write_private

ROOT = Path(__file__).resolve().parents[2]
OWN = ("MAIL_FROM", "SUPPORT_CONTACT")
"""The practice company's own addresses."""
PORTS = Ports(8000, 8011, 8012, 8025)
REAL = {
    "DATABASE_URL": "postgresql+psycopg://awase@db.example.com/awase",
    "REDIS_URL": "redis://queue.example.com:6379/0",
    "SECRET_KEY": "the-real-secret-key-of-the-real-system",
    "ENCRYPTION_KEYS": "the-real-encryption-key",
    "BASE_URL": "https://awase.example.com",
    "SMTP_URL": "smtp://mail.example.com",
    "MAIL_FROM": "jinji@example.com",
    "SMARTHR_URL": "https://{subdomain}.smarthr.example.com/api",
    "FREEE_API_URL": "https://api.freee.example.com/hr",
    "FREEE_ACCOUNTS_URL": "https://accounts.freee.example.com",
    "FREEE_CLIENT_ID": "real-client",
    "FREEE_CLIENT_SECRET": "real-client-secret",
    "FREEE_WEBHOOK_TOKEN": "real-webhook-token",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "https://otlp.example.com",
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer otlp-key.example.com",
    "DATA_DIR": "/srv/awase.example.com",
    "BIND": "192.0.2.1",
    "PORT": "443",
}
"""Everything a real system might be described with."""
BESIDE = {
    "AWASE_SMARTHR_TOKEN": "real-token-1.example.com",
    "AWASE_FREEE_ACCESS_TOKEN": "real-token-2.example.com",
    "AWASE_PASSWORD": "real-password.example.com",
    "HTTP_PROXY": "http://proxy.example.com:3128",
    "https_proxy": "http://proxy.example.com:3128",
    "ALL_PROXY": "socks5://proxy.example.com",
    "GUNICORN_CMD_ARGS": "--bind 0.0.0.0:80 --name example.com",
    "FLASK_APP": "example.com:app",
    "FLASK_DATABASE_URL": "example.com",
    "PYTHONPATH": "/srv/example.com",
    "PGHOST": "db.example.com",
    "REQUESTS_CA_BUNDLE": "/srv/example.com/ca.pem",
    "SENTRY_DSN": "https://sentry.example.com/1",
}


def test_nothing_of_a_real_system_comes_through(tmp_path: Path) -> None:
    found = environment(tmp_path, PORTS, around={**REAL, **BESIDE})
    own = {name: value.replace(str(tmp_path), "") for name, value in found.items() if name not in OWN}
    assert [name for name, value in own.items() if "example.com" in value or "real" in value.lower()] == []
    settings = Settings.from_env(found)
    assert settings.data_dir == tmp_path
    assert settings.database_url == f"sqlite:///{tmp_path}/awase.db"
    assert settings.redis_url == f"unix://{tmp_path}/broker.sock"
    assert settings.secret_key != REAL["SECRET_KEY"]
    assert (settings.bind, settings.port) == ("127.0.0.1", 8000)
    for url in (settings.base_url, settings.smarthr_url, settings.freee_api_url, settings.freee_accounts_url):
        assert url.startswith("http://127.0.0.1:")
    assert settings.smtp_url == "smtp://127.0.0.1:8025"


def test_every_setting_is_either_harmless_or_the_practice_companys(tmp_path: Path) -> None:
    """A variable added to the settings has to be judged: until then it does not come through."""
    around = {field.name.upper(): "from outside" for field in dataclasses.fields(Settings)}
    found = environment(tmp_path, PORTS, around=around)
    through = {name for name, value in found.items() if "from outside" in value}
    assert through <= PASSED
    assert not {name for name in through if re.search("URL|KEY|SECRET|TOKEN|CLIENT|MAIL|DIR|BIND|PORT", name)}


def test_what_a_machine_needs_and_how_the_engine_works_come_through(tmp_path: Path) -> None:
    around = {"PATH": "/usr/bin", "LANG": "ja_JP.UTF-8", "LC_ALL": "C", "LOG_LEVEL": "DEBUG", "BULK_FROM": "50"}
    found = environment(tmp_path, PORTS, around=around)
    assert found["PATH"].split(os.pathsep) == [str(Path(sys.executable).parent), "/usr/bin"]
    assert {name: found[name] for name in around if name != "PATH"} == {n: v for n, v in around.items() if n != "PATH"}


def test_the_broker_of_the_person_is_used_only_when_asked_for(tmp_path: Path) -> None:
    assert "REDIS_URL" not in environment(tmp_path, PORTS, around=REAL)
    assert environment(tmp_path, PORTS, around=REAL, own_broker=True)["REDIS_URL"] == REAL["REDIS_URL"]
    assert "REDIS_URL" not in environment(tmp_path, PORTS, around={"REDIS_URL": ""}, own_broker=True)


@pytest.mark.processes
def test_a_dotenv_file_of_the_service_is_not_read(tmp_path: Path) -> None:
    """Flask's command line loads `.env` from where it runs; the practice environment forbids it."""
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql+psycopg://db.example.com/awase\n", encoding="utf-8")
    (tmp_path / "wsgi.py").write_text(
        "import os\nfrom flask import Flask\napp = Flask('x')\n"
        "@app.cli.command('show')\ndef show():\n    print(os.environ.get('DATABASE_URL', 'none'))\n",
        encoding="utf-8",
    )

    def shown(env: dict[str, str]) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "flask", "show"], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    (tmp_path / "data").mkdir()
    practice = environment(tmp_path / "data", PORTS, around={"PATH": os.environ["PATH"]})
    assert shown({**practice, "FLASK_SKIP_DOTENV": ""}).startswith("postgresql")  # the danger is real
    assert shown(practice) == "none"


# ── secrets ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_secrets_are_made_once_and_are_the_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    first = kept_secrets(file)
    assert kept_secrets(file) == first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert min(map(len, first.values())) >= 32
    assert kept_secrets(tmp_path / "other.env") != first


@pytest.mark.parametrize("content", [b"", b"SECRET_KEY=\n", b"SECRET_KEY=x" * 9 + b"\n", b"\xff\xfe"])
def test_damaged_secrets_are_not_replaced(tmp_path: Path, content: bytes) -> None:
    """New keys would not open what the old ones encrypted: only the person can decide to start afresh."""
    file = tmp_path / "secrets.env"
    file.write_bytes(content)
    with pytest.raises(StartError, match="壊れています"):
        kept_secrets(file)
    assert file.read_bytes() == content


def test_secrets_cannot_smuggle_in_other_variables(tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    file.write_text(f"SECRET_KEY={'s' * 40}\nENCRYPTION_KEYS=k\nDATABASE_URL=postgresql://x\n", encoding="utf-8")
    assert set(kept_secrets(file)) == {"SECRET_KEY", "ENCRYPTION_KEYS"}


def test_a_private_file_appears_whole(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    write_private(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(file, "new \udcff")
    assert file.read_text(encoding="utf-8") == "old"


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def listening(address: str = "127.0.0.1") -> Iterator[int]:
    with socket.socket() as server:
        server.bind((address, 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_busy_port_is_left_alone(address: str) -> None:
    with listening(address) as busy:
        assert not is_free(busy)
        assert Ports.wanted(busy).web != busy
        with pytest.raises(StartError, match=str(busy)):
            Ports.wanted(busy, strict=True)


def test_a_free_port_is_taken() -> None:
    with listening() as number:
        pass
    assert Ports.wanted(number, strict=True).web == number


def test_a_port_whose_connections_fade_out_is_free() -> None:
    """Ctrl-C and `make run` again: the old connections are in TIME_WAIT, nobody listens."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        number = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", number)) as caller:
            accepted, _ = server.accept()
            accepted.close()  # the side that closes first keeps the connection in TIME_WAIT
            caller.recv(1)
    with socket.socket() as plain, pytest.raises(OSError, match="in use"):
        plain.bind(("127.0.0.1", number))
    assert is_free(number)


def test_ports_differ_from_each_other() -> None:
    for _ in range(20):
        ports = Ports.wanted(0)
        assert len({ports.web, ports.smarthr, ports.freee, ports.mail, ports.inbox}) == 5


# ── somebody's own broker ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1", "redis://127.0.0.1:port", "redis://[::1"])
def test_a_broker_address_that_is_none(url: str) -> None:
    with pytest.raises(StartError, match="REDIS_URL"):
        check_own_broker(url)


def test_a_broker_nobody_answers_for(tmp_path: Path) -> None:
    with listening() as number:
        pass
    with pytest.raises(StartError, match=f"REDIS_URL の redis://127.0.0.1:{number}/3 に") as refused:
        check_own_broker(f"redis://somebody:geheim@127.0.0.1:{number}/3")
    assert "geheim" not in str(refused.value)
    assert "somebody" not in str(refused.value)
    with pytest.raises(StartError, match="REDIS_URL"):
        check_own_broker(f"unix://{tmp_path}/none.sock")


def test_a_server_that_is_no_broker() -> None:
    with listening() as number, pytest.raises(StartError, match="REDIS_URL"):
        check_own_broker(f"redis://127.0.0.1:{number}")  # takes the connection and says nothing


def test_a_broker_that_answers() -> None:
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        check_own_broker(f"redis://127.0.0.1:{server.server_address[1]}/0")
    finally:
        server.shutdown()
        server.server_close()


def test_a_password_is_taken_out_of_an_address() -> None:
    assert without_password("rediss://a:b@c@host:1/2?x=1") == "rediss://host:1/2"
    assert without_password("unix:///tmp/x.sock") == "unix:///tmp/x.sock"


def test_a_free_port_is_none_that_an_outgoing_call_may_have_before_its_server_starts() -> None:
    ports = Ports.wanted(0)
    chosen = [ports.web, ports.smarthr, ports.freee, ports.mail]
    assert len(set(chosen)) == 4 and all(port in SERVERS_PORTS for port in chosen)
