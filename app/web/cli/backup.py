"""flask backup: a backup of the database is made, and one is proved to be worth something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from flask.cli import AppGroup

from app.use_cases.monitoring.backup import BackupCheck, check_backup, create_backup
from app.web.cli.exit_codes import FAILED
from app.web.current import current_context
from app.web.i18n import DEFAULT, wording

backup = AppGroup("backup", help="データベースのバックアップ")
_File = click.Path(path_type=Path, dir_okay=False)


@backup.command("create")
@click.argument("file", type=_File)
def create(file: Path) -> None:
    """動かしたまま、ある一瞬のデータベースをファイルに書く(SQLite はそのままの形、PostgreSQL は pg_dump のカスタム形式)

    暗号鍵(ENCRYPTION_KEYS、SECRET_KEY)と設置先の印(HOUSE_FILE)は入らない。鍵は別に保管し、印は保管しない。
    """
    size = create_backup(current_context(), file)
    click.echo(f"バックアップを書きました: {file}({size:,}バイト)。確かめるには flask backup check {file}")


@backup.command("check")
@click.argument("file", type=_File)
def check(file: Path) -> None:
    """バックアップを一時的なデータベースに戻して、行数と操作記録の鎖を確かめる。使えなければ終了コード 1"""
    found = check_backup(current_context(), file)
    for line in _lines(found):
        click.echo(line)
    if not found.ok:
        raise SystemExit(FAILED)


def _lines(found: BackupCheck) -> Iterator[str]:
    yield f"表の版 {found.revision or 'なし'}(このバージョンは {found.newest})"
    if found.last_sign is not None:
        yield f"最後の動き {found.last_sign:%Y-%m-%d %H:%M} UTC"
    for table, number in found.rows.items():
        yield f"  {table}  {number}行"
    if found.audit is None:
        yield "このバージョンでは確かめられません。Awase のデータベースでないか、より新しいバージョンのものです。"
        return
    yield f"操作記録 {found.audit.entries}件、{'誤りはありません' if found.audit.ok else '誤りがあります'}"
    yield f"末尾 {found.audit.head}:{found.audit.digest}"
    for fault in found.audit.faults:
        yield f"記録 {fault.position}: {wording(DEFAULT).label(fault.kind)}"
