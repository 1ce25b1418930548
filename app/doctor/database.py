"""The database: whether it answers, stands at this version's tables, has our time, and is spoken to in private."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from app.config import Settings
from app.doctor.clocks import CLOCK_REMEDY, compare
from app.safety.addresses import is_local
from app.safety.findings import Finding, bad, notice, ok
from app.safety.high_water import HighWater
from app.safety.identity import NoIdentity, existing_identity
from app.storage.examination import Examined, examine
from app.storage.schema import is_missing
from app.use_cases.household import has_gone_back
from app.use_cases.shared.leading import SKEW_SECONDS, is_skewed

_UPGRADE = "flask db upgrade を実行してください。"


def look_at_database(settings: Settings) -> Iterator[Finding]:
    if is_missing(settings.database_url):
        yield bad("database_missing", "データベースのファイルがまだありません。", _UPGRADE)
        return
    try:
        found = examine(settings.database_url)
    except SQLAlchemyError as error:
        kind = type(getattr(error, "orig", error)).__name__
        yield bad("database_away", f"データベースに接続できません({kind})。",
                  "DATABASE_URL と、データベースの動作を確認してください。")  # fmt: skip
        return
    yield ok("database_ok", "データベースは応答しています。")
    yield _tables(found)
    yield from compare("database", "データベース", found.now, bad_from=SKEW_SECONDS)
    yield from _skewed(found)
    yield from _house(settings, found)
    if found.encrypted is False and not is_local(urlsplit(settings.database_url).hostname):
        yield notice("database_unencrypted", "データベースへの接続は暗号化されていません。",
                     "相手で TLS を有効にし、DATABASE_URL に sslmode=verify-full を付けてください。")  # fmt: skip


def _skewed(found: Examined) -> Iterator[Finding]:
    """The hosts on which processes run, which are not always the one on which the doctor was asked."""
    for name, skew in sorted(found.skews.items()):
        if is_skewed(skew):
            way = "進んで" if skew > 0 else "遅れて"
            told = f"{name} のホストの時計は、データベースより {abs(skew):.0f} 秒{way}います。"
            yield bad("process_clock", told, f"{CLOCK_REMEDY}直るまで、このプロセスは定期処理を担いません。")


def _house(settings: Settings, found: Examined) -> Iterator[Finding]:
    """Whether the database belongs to this installation. The file is read and never made here."""
    mine = existing_identity(settings.house_place)
    if isinstance(mine, NoIdentity):
        yield bad(
            "no_identity", str(mine), "直すまで Awase は休みます。複数のホストでは、同じファイルを渡してください。"
        )
    elif found.house is not None and (mine is None or mine.digest != found.house):
        yield bad("house_rests", "このデータベースは別の設置先のもの(写し)なので、Awase は休んでいます。",
                  "元の設置先が止まっていることを確かめてから、flask house adopt を実行してください。")  # fmt: skip
    elif found.count is not None and has_gone_back(found.count, HighWater(settings.beats_places)):
        yield bad("house_restored", "このデータベースは以前の状態に戻されているので、Awase は休んでいます。",
                  "戻したバックアップでよいことを確かめてから、flask house adopt を実行してください。")  # fmt: skip
    elif found.house is not None:
        yield ok("house_ok", "このデータベースは、この設置先のものです。")
    if len(found.houses) > 1:
        yield bad("two_houses", f"別の設置先も、このデータベースで動いています({'、'.join(sorted(found.houses))})。",
                  "同じ設置先なら同じ HOUSE_FILE を、そうでなければ別の DATABASE_URL を渡してください。")  # fmt: skip


def _tables(found: Examined) -> Finding:
    if found.revision == found.newest:
        return ok("migrations_ok", f"表はこのバージョンのものです({found.newest})。")
    if not found.known:
        return notice("migrations_ahead", f"表はこのバージョンより新しいものです({found.revision})。",
                      "プロセスをすべて新しいバージョンに入れ替えてください。")  # fmt: skip
    return bad("migrations_behind", f"表が古いままです({found.revision or 'なし'} → {found.newest})。", _UPGRADE)
