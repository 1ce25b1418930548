"""flask house: to which installation the database belongs, and how a copy becomes one."""

from __future__ import annotations

from collections.abc import Iterator

import click
from flask.cli import AppGroup

from app.domain.runs.words import run_word
from app.use_cases.upkeep.adoption import Comparison, HouseView, Standing, adopt, house_view
from app.web.cli.exit_codes import FAILED, REFUSED
from app.web.current import current_context

house = AppGroup("house", help="このデータベースがどの設置先のものか")

WORD = "adopt"
"""What a person types to confirm."""
_LOST = "写しの後にそろっていた人 {0.linked}人、値がそろって変わっていた人 {0.agreed}人"
_STANDINGS = {
    Standing.AT_HOME: "このデータベースは、この設置先のものです。",
    Standing.UNCLAIMED: "このデータベースは、まだどの設置先のものでもなく、最初に起動した設置先のものになります。",
    Standing.COPY: "このデータベースは別の設置先のものです(写し)。Awase は休んでいます。",
    Standing.RESTORED: "このデータベースは以前の状態に戻されています。Awase は休んでいます。",
    Standing.NO_IDENTITY: "HOUSE_FILE のファイルを使えないため、どの設置先か分かりません。Awase は休んでいます。",
    Standing.UNMIGRATED: "データベースが古いか、まだ作られていません。",
}


@house.command("show")
def show() -> None:
    """どの設置先のものか、引き継いだ後の比較がどうなったか。休んでいるか、別の設置先も動いていれば 1 で終わる"""
    view = house_view(current_context())
    for line in _lines(view):
        click.echo(line)
    if view.standing.rests or view.others:
        raise SystemExit(FAILED)


@house.command("adopt")
@click.option("--yes", is_flag=True, help="尋ねない(元の設置先が止まっていることを確かめてから)")
def adopt_database(yes: bool) -> None:
    """写しのデータベースを、この設置先のものにする。以前の状態に戻したデータベースで、仕事を続ける

    元の設置先が動いていると、二重に書き込まれ、freee の認可も失われるので、先に止めておく。途中だった実行は取り消し、
    両方の向きの比較の確認を作る。だれかがその確認を決めるまで、何も書き込まない。
    """
    ctx = current_context()
    for process in house_view(ctx).others:
        click.echo(f"別の設置先のプロセスが、このデータベースで動いています: {process}", err=True)
    click.echo(
        "元の設置先(バックアップを取ったところ)のプロセスが、すべて止まっていることを確かめてください。", err=True
    )
    if not yes and click.prompt(f"引き継ぐには {WORD} と入力してください", err=True) != WORD:
        click.echo("何も変えていません。", err=True)
        raise SystemExit(REFUSED)
    view = adopt(ctx, by="cli")
    click.echo("引き継ぎました。途中だった実行は取り消し、比較の確認を始めました。")
    for line in _lines(view):
        click.echo(line)


def _lines(view: HouseView) -> Iterator[str]:
    yield _STANDINGS[view.standing]
    yield f"この設置先 {view.mark or 'なし'}  データベースの設置先 {view.owner or 'なし'}"
    for process in view.others:
        yield f"別の設置先のプロセス  {process}"
    if view.adopted_at is not None:
        yield f"引き継いだ日時 {view.adopted_at:%Y-%m-%d %H:%M} UTC"
    yield from map(_compared, view.comparisons)


def _compared(each: Comparison) -> str:
    way = f"{each.direction.source.label} → {each.direction.target.label}"
    if each.run is None or each.state is None:
        return f"  {each.connection}  {way}  比較していない(一時停止中か、エクスポート設定がない)"
    lost = "比較中" if each.lost is None else _LOST.format(each.lost)
    told = f"{lost}、書き込む予定 {each.waiting}人"
    return f"  {each.connection}  {way}  {run_word(each.state, {}).label}  {told}  {each.run}"
