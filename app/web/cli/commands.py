"""The commands `flask` finds through wsgi.py, and how they end: 0 done, 1 something failed, 2 refused."""

from __future__ import annotations

import os
import pwd
from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo

from app import __version__
from app.domain.access.origin import Door, Origin, coming_from
from app.domain.errors import AwaseError, Refused
from app.logs import configure_logging
from app.use_cases.accounts.users import CLI
from app.use_cases.monitoring.readiness import database_state
from app.use_cases.shared.at_home import check_at_home
from app.web.cli.access import db, key, user
from app.web.cli.attention import attention
from app.web.cli.audit import audit
from app.web.cli.backup import backup
from app.web.cli.deliveries import delivery, trouble
from app.web.cli.doctor import Diagnose, doctor_command
from app.web.cli.exit_codes import FAILED, REFUSED
from app.web.cli.house import house
from app.web.cli.key_change import secrets
from app.web.cli.links import link
from app.web.cli.ops import connection, queue
from app.web.cli.sync import sync
from app.web.current import current_context
from app.web.i18n import DEFAULT, wording

LOG_LEVEL = "WARNING"
"""A command says in words what it did; log lines appear in between only when something is wrong."""


WHILE_RESTING = frozenset(
    (
        *("sync show", "queue status", "delivery list", "delivery show", "trouble list", "link list"),
        *("attention list",),
        *("connection list", "connection show", "audit verify", "audit export"),
        *("user add", "user first", "user list", "user set-role", "user disable", "user enable", "user reset-password"),
        *("key add", "key list", "key revoke", "secrets rotate", "secrets status", "secrets forget"),
        *("db upgrade", "house show", "house adopt", "backup create", "backup check"),
    )
)
"""Commands that begin no work and ask no vendor, so a copy carries them out as well. Every other one is refused."""


class _Told(click.Group):
    """Turns the product's errors into Japanese and an exit code; a bug still shows its traceback."""

    def __init__(self, group: click.Group, *, refused: str) -> None:
        super().__init__(group.name, commands=group.commands, help=group.help)
        self._refused = refused

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """As click does; a command that begins or changes work is refused while the house rests."""
        name, command, rest = super().resolve_command(ctx, args)
        if not self._refused and f"{self.name} {name}" not in WHILE_RESTING:
            with ctx.ensure_object(ScriptInfo).load_app().app_context():
                check_at_home(current_context())
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        configure_logging(LOG_LEVEL)
        if self._refused:
            raise _ended([self._refused, "全体の診断: flask doctor"], REFUSED)
        with coming_from(Origin(Door.CLI, CLI, via=_os_user())):
            return self._told(ctx)

    def _told(self, ctx: click.Context) -> Any:
        if self.name != db.name:
            _check_database(ctx)
        say = wording(DEFAULT)
        try:
            return super().invoke(ctx)
        except Refused as error:
            message, faults = say.refusal(error), say.faults(error)
            lines = [message, *(f"  {path}: {text}" for path, text in faults.items() if text != message)]
            raise _ended(lines, REFUSED) from error
        except AwaseError as error:
            raise _ended([say.message(error.code), say.remedy(error.code)], FAILED) from error


def _os_user() -> dict[str, str]:
    """Who is at the machine, for the audit trail."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's user without an entry
        name = str(os.geteuid())
    before = os.environ.get("SUDO_USER", "")
    return {"os_user": name, **({"sudo_user": before} if before.isprintable() and before else {})}


def register_commands(app: Flask, *, diagnose: Diagnose, refused: str = "") -> None:
    """`refused`: what is wrong with the settings; then every command but `doctor` and `version` says that and ends."""
    of_work = (attention, sync, queue, delivery, trouble, link, connection)
    for group in (*of_work, user, key, audit, secrets, house, backup, db):
        app.cli.add_command(_Told(group, refused=refused))
    app.cli.add_command(doctor_command(diagnose))
    app.cli.add_command(_version)


@click.command("version")
def _version() -> None:
    """この Awase のバージョン。設定やデータベースに異常があっても答える"""
    click.echo(__version__)


def _check_database(ctx: click.Context) -> None:
    with ctx.ensure_object(ScriptInfo).load_app().app_context():
        reachable, migrated = database_state(current_context())
    if not reachable:
        raise _ended(["データベースに接続できません。DATABASE_URL と、データベースの動作を確認してください。"], FAILED)
    if not migrated:
        raise _ended(["データベースが古いか、まだ作られていません。flask db upgrade を実行してください。"], FAILED)


def _ended(lines: list[str], code: int) -> SystemExit:
    click.echo("\n".join(filter(None, lines)), err=True)
    return SystemExit(code)
