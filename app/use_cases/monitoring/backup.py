"""Backups: one is made while everybody works, and one is proved to be worth something by restoring it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, inspect, select

from app.domain.errors import Refused
from app.storage.keyring import Keys
from app.storage.metrics.snapshot import known_revisions
from app.storage.schema import current_revision, migrate
from app.storage.tables.base import Base
from app.storage.tables.key_models import ProcessTable
from app.storage.tables.models import RunTable
from app.storage.unit_of_work import Database, make_engine
from app.storage.upkeep.backups import BackupError, restored, write_backup
from app.storage.vault import Vault
from app.use_cases.context import Context
from app.use_cases.monitoring.audit_check import AuditCheck, check_audit


@dataclass(frozen=True)
class BackupCheck:
    """`revision`: of the tables in the backup; `newest`: of this version. `last_sign`: the last thing that is known to
    have happened before the backup was made. `rows`: table → rows. `audit` None: the tables are newer than this
    version, so that nothing more can be said."""

    revision: str | None
    newest: str | None
    last_sign: datetime | None
    rows: Mapping[str, int]
    audit: AuditCheck | None

    @property
    def ok(self) -> bool:
        return self.revision is not None and self.audit is not None and self.audit.ok


def create_backup(ctx: Context, file: Path) -> int:
    """Write a backup of the database; returns its bytes. Raises Refused with a sentence."""
    try:
        write_backup(ctx.settings.database_url, file)
    except BackupError as error:
        raise _refused(error) from None
    return file.stat().st_size


def check_backup(ctx: Context, file: Path) -> BackupCheck:
    """Restore the backup into a scratch database and look through it. Nothing of ours is touched. Raises Refused."""
    try:
        with restored(ctx.settings.database_url, file, folder=ctx.settings.data_dir) as url:
            return _checked(ctx, url)
    except BackupError as error:
        raise _refused(error) from None


def _checked(ctx: Context, url: str) -> BackupCheck:
    revision, known = current_revision(url), known_revisions()
    rows = _rows(url)
    if revision not in known:
        return BackupCheck(revision, known[0], None, rows, None)
    migrate(url)  # of the scratch database: a backup of an earlier version is looked through as this version would
    keys = Keys.of(ctx.settings.encryption_keys, (ctx.settings.secret_key, *ctx.settings.secret_key_previous))
    database = Database(url, Vault(keys.encryption), keys)
    try:
        audit = check_audit(replace(ctx, unit_of_work=database.unit_of_work))
        return BackupCheck(revision, known[0], _last_sign(database), rows, audit)
    finally:
        database.dispose()


def _rows(url: str) -> dict[str, int]:
    """Table → rows, of the tables that this version knows."""
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            there = set(inspect(connection).get_table_names())
            tables = [table for name, table in sorted(Base.metadata.tables.items()) if name in there]
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables
            }
    finally:
        engine.dispose()


def _last_sign(database: Database) -> datetime | None:
    with database.engine.connect() as connection:
        moments = (select(func.max(column)) for column in (ProcessTable.seen_at, RunTable.created_at))
        found = [connection.execute(moment).scalar() for moment in moments]
    return max((moment for moment in found if moment is not None), default=None)


def _refused(error: BackupError) -> Refused:
    subject = f"({error.subject})" if error.subject else ""
    return Refused(f"backup_failed.{error.trouble}", status=409, subject=subject)
