"""`.env` and files of secrets: who reads them, who wins, and a sentence for each thing that is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values

from app.config import Settings
from app.safety.env_file import env_file
from tests.restored import restored

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"SECRET_KEY": "s" * 32, "ENCRYPTION_KEYS": "k"}
SECRETS = sorted(each.name.upper() for each in Settings.__dataclass_fields__.values() if not each.repr)
VALUES = {
    **dict.fromkeys(SECRETS, "n" * 40),
    "DATABASE_URL": "postgresql+psycopg://awase:geheim@127.0.0.1/awase",
    "REDIS_URL": "redis://:geheim@127.0.0.1:6379/0",
    "SMTP_URL": "smtps://awase:geheim@mail.example.com:465",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder of a service that has no variable of ours in its environment."""
    inherited = dict(os.environ)
    for name in ("FLASK_SKIP_DOTENV", "CREDENTIALS_DIRECTORY", *map(str.upper, Settings.__dataclass_fields__)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with restored():
        yield tmp_path
    os.environ.clear()
    os.environ.update(inherited)


def codes(env: Mapping[str, str] | None = None) -> set[tuple[str, str]]:
    return {(fault.variable, fault.code) for fault in Settings.examine(env)[1]}


def write_env(folder: Path, *lines: str) -> None:
    (folder / ".env").write_text("\n".join([*(f"{name}={value}" for name, value in KEYS.items()), *lines, ""]), "utf-8")


def test_a_service_reads_its_env_file_and_the_environment_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_env(
        folder, "PORT=8101", "QUIET_SECONDS=3 # what we agreed", "MAIL_FROM='awase@example.com'", "PGSSLMODE=require"
    )
    monkeypatch.setenv("PORT", "8102")
    settings = Settings.from_env()
    assert (settings.port, settings.quiet_seconds, settings.mail_from) == (8102, 3.0, "awase@example.com")
    assert os.environ["PGSSLMODE"] == "require"


def test_it_is_the_file_that_flask_finds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_env(folder)
    (folder / "deeper").mkdir()
    monkeypatch.chdir(folder / "deeper")
    assert env_file() == folder / ".env"
    assert Settings.from_env().secret_key == KEYS["SECRET_KEY"]


@pytest.mark.parametrize("word", ["1", "true", "yes"])
def test_a_rehearsal_brings_its_own_environment(folder: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    write_env(folder)
    monkeypatch.setenv("FLASK_SKIP_DOTENV", word)
    assert env_file() is None
    assert ("SECRET_KEY", "setting_missing") in codes()


def test_an_env_file_that_cannot_be_understood_is_told(folder: Path) -> None:
    write_env(folder, "PORT 8101", "BIND", "LOG_LEVEL='INFO")
    told = [fault.sentence for fault in Settings.examine()[1]]
    assert [line.split(" 行目")[0] for line in told] == [".env の 3", ".env の 4", ".env の 5"]
    assert "8101" not in "".join(told)
    (folder / ".env").write_bytes(b"SECRET_KEY=\xff\xfe")
    assert (".env", "env_file_unreadable") in codes()


def test_a_byte_order_mark_is_no_part_of_a_name(folder: Path) -> None:
    (folder / ".env").write_text("".join(f"{name}={value}\r\n" for name, value in KEYS.items()), "utf-8-sig")
    assert Settings.from_env().secret_key == KEYS["SECRET_KEY"]


def test_the_example_says_what_holds_without_it() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    given = {name: value or "" for name, value in dotenv_values(stream=StringIO(example)).items()}
    assert Settings.from_env({**given, **KEYS}) == Settings.from_env(KEYS)
    assert [name for name, value in given.items() if value] != []


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_every_secret_may_stand_in_a_file(tmp_path: Path, name: str, end: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(f"{VALUES[name]}{end}".encode())
    given = {**KEYS, f"{name}_FILE": str(file)}
    by_file = Settings.from_env({key: value for key, value in given.items() if key != name})
    assert by_file == Settings.from_env({**KEYS, name: VALUES[name]})


@pytest.mark.parametrize("name", SECRETS)
def test_what_is_wrong_with_a_secrets_file_is_a_sentence_and_no_value(tmp_path: Path, name: str) -> None:
    file = tmp_path / "geheim"
    around = {key: value for key, value in KEYS.items() if key != name} | {f"{name}_FILE": str(file)}
    assert codes(around) == {(f"{name}_FILE", "secret_file_missing")}
    file.mkdir()
    assert codes(around) == {(f"{name}_FILE", "secret_file_unreadable")}
    file.rmdir()
    for empty in ("", "\n", " \r\n"):
        file.write_text(empty, encoding="utf-8")
        assert codes(around) == {(f"{name}_FILE", "secret_file_empty")}
    file.write_bytes(b"\xff\xfe")
    assert codes(around) == {(f"{name}_FILE", "secret_file_unreadable")}
    file.write_text(VALUES[name], encoding="utf-8")
    both = {**around, name: VALUES[name]}
    assert codes(both) == {(f"{name}_FILE", "secret_given_twice")}
    assert VALUES[name] not in "".join(str(fault) for fault in Settings.examine(both)[1])


def test_a_second_line_is_no_end_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s" * 32 + "\n\n", encoding="utf-8")
    env = {"ENCRYPTION_KEYS": "k", "SECRET_KEY_FILE": str(tmp_path / "key")}
    assert ("SECRET_KEY", "setting_malformed") in codes(env)


def test_an_empty_variable_beside_a_file_is_an_unset_one(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s" * 32, encoding="utf-8")
    env = {"SECRET_KEY": "", "SMTP_URL_FILE": "", "ENCRYPTION_KEYS": "k", "SECRET_KEY_FILE": str(tmp_path / "key")}
    assert Settings.from_env(env).secret_key == "s" * 32


def test_a_name_without_a_folder_is_a_credential_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "handed").mkdir()
    (tmp_path / "handed" / "secret_key").write_text("s" * 32, encoding="utf-8")
    (tmp_path / "secret_key").write_text("w" * 32, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    env = {"ENCRYPTION_KEYS": "k", "SECRET_KEY_FILE": "secret_key"}
    assert Settings.from_env(env).secret_key == "w" * 32
    env["CREDENTIALS_DIRECTORY"] = str(tmp_path / "handed")
    assert Settings.from_env(env).secret_key == "s" * 32
    env["SECRET_KEY_FILE"] = str(tmp_path / "secret_key")
    assert Settings.from_env(env).secret_key == "w" * 32


def test_the_file_of_all_keys_and_a_file_of_one_do_not_hold_the_same(tmp_path: Path) -> None:
    (tmp_path / "all").write_text("".join(f"{name}={value}\n" for name, value in KEYS.items()), encoding="utf-8")
    (tmp_path / "key").write_text("w" * 32, encoding="utf-8")
    env = {"SECRETS_FILE": str(tmp_path / "all"), "SECRET_KEY_FILE": str(tmp_path / "key")}
    assert codes(env) == {("SECRET_KEY_FILE", "secret_given_twice")}
