"""One version, from one place: the project file. The command line says it whatever is wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.cli import ScriptInfo, cli

from app import __version__
from app.config import Settings
from app.factory import create_app
from app.web.cli.exit_codes import REFUSED
from tests.restored import restored

ROOT = Path(__file__).resolve().parents[1]


def test_it_is_the_one_of_the_project_file() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert told == __version__


def test_the_changelog_names_it() -> None:
    """By a heading of its own, or as what the unreleased changes become."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[([^\]]+)\]", changelog, flags=re.MULTILINE)
    becomes = re.search(r"^## \[Unreleased\]\n\nThis becomes `([^`]+)`\.$", changelog, flags=re.MULTILINE)
    assert __version__ in [*headings, *(becomes.groups() if becomes else [])]


def info() -> ScriptInfo:
    return ScriptInfo(create_app=create_app)


def test_the_command_line_says_it_when_everything_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.__dataclass_fields__:
        monkeypatch.delenv(name.upper(), raising=False)
    with restored():
        version, other = (CliRunner().invoke(cli, words, obj=info()) for words in (["version"], ["queue", "status"]))
    assert (version.exit_code, version.output) == (0, f"{__version__}\n")
    assert other.exit_code == REFUSED
