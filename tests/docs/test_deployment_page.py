"""The deployment page says what is true: commands, files and variables are there, and its lines make keys that do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from click import Group
from flask import Flask

from app.config import Settings
from app.web.cli.commands import register_commands
from tests.deploy.units import UNITS, unit_names, variables

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "deploy" / "README.md"
OUTSIDE = {
    "HTTPS_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "WEB_CONCURRENCY",
    "AWASE_REPOSITORY",
    "PIP_NO_INDEX",
}
"""Variables that libraries read, or that the page itself sets."""


@pytest.fixture(scope="module")
def app() -> Flask:
    """The commands alone."""
    made = Flask("commands")
    register_commands(made, diagnose=lambda *, vendors: [])
    return made


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def blocks(page: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


def known() -> set[str]:
    names = {name.upper() for name in Settings.__dataclass_fields__}
    return names | {f"{name}_FILE" for name in names} | OUTSIDE


def test_every_command_exists(app: Flask, page: str) -> None:
    found = re.findall(r"(?:^|`|: )(?:flask|awase) ([a-z]+)(?: ([a-z]+))?", page, flags=re.MULTILINE)
    assert len(found) >= 8
    for group, command in found:
        entry = app.cli.commands[group]
        assert not command or not isinstance(entry, Group) or command in entry.commands, (group, command)


def places_of(page: str) -> set[str]:
    """By what a link names its headings."""
    headings = re.findall(r"^#+ (.*)$", page, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_file_and_every_place_of_a_page_is_there(page: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page):
        file, _, place = link.partition("#")
        assert not file or (PAGE.parent / file).exists(), link
        assert not place or place in places_of((PAGE.parent / file).read_text(encoding="utf-8") if file else page), link
    for path in re.findall(r"docs/deploy/[\w./*-]+\w", page):
        assert list(ROOT.glob(path)), path
    named = {f"{name}.service" for name in re.findall(r"`(awase-[\w@]+)`", page)} - {"awase-.service"}
    assert named and named <= set(unit_names())


def test_every_variable_is_read(page: str) -> None:
    told = set(re.findall(r"`([A-Z][A-Z_]{3,})(?:=[^`]*)?`", page)) | set(re.findall(r"\b([A-Z]+(?:_[A-Z]+)+)=", page))
    assert len(told) > 15
    assert told <= known()


def test_the_settings_of_the_units_are_known(page: str) -> None:
    text = (UNITS / "awase.env.example").read_text(encoding="utf-8")
    assert set(variables(text)) | set(variables(text.replace("\n#", "\n"))) <= known()


def test_the_user_of_the_units_has_no_home_that_would_be_shared_with_the_data(page: str) -> None:
    """`flask doctor` takes a home for a folder that holds other things as well (data_dir_shared)."""
    assert re.findall(r"^adduser .*--home (\S+)", page, flags=re.MULTILINE) == ["/nonexistent"]


def test_its_lines_make_keys_that_are_taken(page: str, tmp_path: Path) -> None:
    """The block that makes them, with another /etc, and the credentials that systemd would hand over."""
    (making,) = (block for block in blocks(page) if "token_urlsafe" in block and "/etc/awase" in block)
    script = making.replace("/etc/", f"{tmp_path}/").replace("/opt/awase", str(ROOT))
    subprocess.run(["sh", "-eu", "-c", script], check=True, timeout=60)
    kept = tmp_path / "awase" / "credentials"
    assert [(kept.stat().st_mode & 0o777), *(file.stat().st_mode & 0o777 for file in kept.iterdir())] == [
        0o700,
        0o600,
        0o600,
    ]
    for file in list(kept.iterdir()):
        file.rename(kept / f"awase_{file.name}")
    given = variables((tmp_path / "awase" / "awase.env").read_text(encoding="utf-8"))
    settings = Settings.from_env({**given, "CREDENTIALS_DIRECTORY": str(kept)})
    assert settings.weaknesses == []


def test_the_database_that_it_names_is_taken(page: str) -> None:
    (url,) = re.findall(r"^echo 'DATABASE_URL=([^']+)'", page, flags=re.MULTILINE)
    keys = {"SECRET_KEY": "s" * 32, "ENCRYPTION_KEYS": "k"}
    assert Settings.from_env({**keys, "DATABASE_URL": url}).database_url == url


def test_its_lines_make_the_secrets_of_the_composition(page: str, tmp_path: Path) -> None:
    (making,) = (block for block in blocks(page) if "token_urlsafe" in block and "database_url" in block)
    lines = [line for line in making.splitlines() if not line.startswith(("cd ", "cp ", "chown "))]
    subprocess.run(["sh", "-eu", "-c", "\n".join(lines)], cwd=tmp_path, check=True, timeout=60)
    composed = yaml.safe_load((PAGE.parent / "container" / "compose.yaml").read_text(encoding="utf-8"))
    wanted = {Path(secret["file"]) for secret in composed["secrets"].values()}
    assert all((tmp_path / file).read_text(encoding="utf-8").strip() for file in wanted)
    given = composed["x-awase"]["environment"]
    env = {name: value.replace("/run/secrets", f"{tmp_path}/secrets") for name, value in given.items()}
    settings = Settings.from_env({**env, "BASE_URL": "https://awase.example.com"})
    assert (settings.weaknesses, settings.database_url.endswith("@postgres/awase")) == ([], True)
