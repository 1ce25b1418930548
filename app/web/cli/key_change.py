"""flask secrets: which keys are in use, how new ones come into use, and when former ones may go."""

from __future__ import annotations

from collections.abc import Iterator

import click
from flask.cli import AppGroup

from app.use_cases.upkeep.rotation import rotate_secrets
from app.use_cases.upkeep.secrets_status import (
    DECISIONS,
    LINKS,
    NAMES,
    VALUES,
    KeyKind,
    KeyUse,
    KeyView,
    SecretsStatus,
    forget_key,
    secrets_status,
)
from app.web.cli.exit_codes import FAILED
from app.web.current import current_context

secrets = AppGroup("secrets", help="暗号化と署名の鍵")

_KEY_TITLES = {
    KeyKind.ENCRYPTION: "暗号鍵(ENCRYPTION_KEYS)",
    KeyKind.SIGNING: "署名と照合の鍵(SECRET_KEY、SECRET_KEY_PREVIOUS)",
}
_USES = {
    None: "新しい鍵(まだ使っていない)",
    KeyUse.IN_USE: "使用中",
    KeyUse.FORMER: "以前の鍵",
    KeyUse.RETIRED: "以前の鍵",
}
_NEEDS = {VALUES: "値", LINKS: "従業員の組", DECISIONS: "待っているか見送った変更", NAMES: "氏名で探せる従業員"}


@secrets.command("rotate")
def rotate() -> None:
    """新しい鍵を使い始め、保存した値をその鍵で暗号化し直す

    先に新しい鍵を ENCRYPTION_KEYS の先頭に加え(SECRET_KEY なら、今までの値を SECRET_KEY_PREVIOUS に移し)、すべての
    プロセスを順に起動し直してから実行する。知らないプロセスがあれば、名前を出して何もしない。途中で止めてもよく、もう一度
    実行すると続きから進む。以前の鍵を外してよいかは flask secrets status に出る。
    """
    done = 0
    for done in rotate_secrets(current_context()):
        click.echo(f"\r{done}件", nl=False, err=True)
    click.echo(f"\n{done}件が最新の鍵のもとにあります。")


@secrets.command("status")
def status() -> None:
    """鍵ごとに、まだ必要としている件数と、外してよいか。以前の鍵をすべて外してよければ 0、そうでなければ 1 で終わる"""
    found = secrets_status(current_context())
    for line in _status_lines(found):
        click.echo(line)
    if not found.is_settled:
        raise SystemExit(FAILED)


@secrets.command("forget")
@click.argument("key_id")
def forget(key_id: str) -> None:
    """失った以前の鍵をあきらめる(KEY_ID は flask secrets status に出る)

    その鍵のもとにある値は開けないまま残り、鍵が足りないことは知らされなくなる。
    """
    forget_key(current_context(), key_id)
    click.echo("この鍵はもう求めません。")


def _status_lines(found: SecretsStatus) -> Iterator[str]:
    for kind, title in _KEY_TITLES.items():
        yield title
        for key in (key for key in found.keys if key.kind is kind):
            yield f"  {key.id}  {_said(key)}"
    if found.repeats_until is not None:
        yield f"  以前の署名の鍵は {found.repeats_until:%Y-%m-%d %H:%M} UTC まで置くと、再送された通知も見分けられる"
    locked = sum(found.locked.values())
    yield f"どの鍵でも開けない値: {locked}件{''.join(f' {place}={number}' for place, number in found.locked.items())}"
    yield "動いているプロセス"
    for process in found.processes:
        lacks = f"知らない鍵 {' '.join(process.lacks)}" if process.lacks else "最新の鍵を知っている"
        behind = "、まだ以前の鍵を使っている" if process.behind and not process.lacks else ""
        yield f"  {process.name}  {lacks}{behind}"


def _said(key: KeyView) -> str:
    needs = "、".join(f"{_NEEDS[what]} {number}件" for what, number in key.needs.items())
    parts = [_USES[key.use], "" if key.given else "設定にない", needs or "必要とするものなし"]
    if key.given and key.use is not KeyUse.IN_USE:
        parts.append("外してよい" if key.may_be_removed else "まだ外せない")
    return "  ".join(filter(None, parts))
