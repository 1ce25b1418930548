"""flask user, key, db: who may use Awase, and the tables underneath."""

from __future__ import annotations

import json
import os
import sys

import click
from flask.cli import AppGroup

from app.domain.access.roles import Role
from app.use_cases.accounts import api_keys, first_administrator, users
from app.use_cases.accounts.api_keys import Scope
from app.use_cases.accounts.users import CLI, UserView
from app.use_cases.monitoring.readiness import database_state, is_ahead
from app.use_cases.upkeep.upgrade import upgrade as upgrade_database
from app.web.current import current_context, current_migration

user = AppGroup("user", help="画面の利用者")
key = AppGroup("key", help="API キー")
db = AppGroup("db", help="データベース")


def read_secret(label: str, *, variable: str, confirm: bool = False) -> str:
    """A secret from the environment, else from one line of standard input, else from a prompt that does not show it.

    A secret never comes from an argument: the list of processes shows arguments, and the shell keeps them.
    """
    given = os.environ.get(variable)
    if given is None and not sys.stdin.isatty():
        given = sys.stdin.readline().rstrip("\r\n")
    if given is None:
        given = str(click.prompt(label, hide_input=True, confirmation_prompt=confirm))
    if not given:
        raise click.UsageError(f"{label}がありません。環境変数 {variable} か標準入力で渡してください。")
    return given


@user.command("add")
@click.argument("login")
@click.option("--role", type=click.Choice([str(r) for r in Role]), default=str(Role.MEMBER), show_default=True)
def add_user(login: str, role: str) -> None:
    """利用者を加える。パスワードは環境変数 AWASE_PASSWORD か標準入力、なければ尋ねる"""
    password = read_secret("パスワード", variable="AWASE_PASSWORD", confirm=True)
    api_keys.add_user(current_context(), login, password, role=role)
    click.echo("利用者を加えました。")


@user.command("first")
@click.argument("login", default=first_administrator.USUAL_LOGIN)
@click.option("--json", "as_json", is_flag=True, help="ほかのプログラムのための形")
def first_user(login: str, as_json: bool) -> None:
    """利用者がまだいなければ、最初の管理者を作る。パスワードはこのときだけ標準出力に書く"""
    made = first_administrator.first_administrator(current_context(), login=login)
    if as_json:
        click.echo(json.dumps({"login": made.login, "password": made.password}))
    elif made.password is None:
        click.echo(f"利用者はすでにいます。サインインできないときは flask user reset-password {made.login}")
    else:
        click.echo(f"ログイン名: {made.login}")
        _show_once(made.password)


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="ほかのプログラムのための形")
def list_users(as_json: bool) -> None:
    """利用者の一覧"""
    views = users.list_users(current_context())
    if as_json:
        click.echo(json.dumps({"items": [_as_json(view) for view in views]}, ensure_ascii=False))
        return
    for view in views:
        state = "無効" if view.disabled_at else "有効"
        seen = f"{view.last_sign_in_at:%Y-%m-%d %H:%M} UTC" if view.last_sign_in_at else "なし"
        role = view.role.label if view.role else "不明な役割"
        click.echo(f"{view.login}  {role}  {state}  最後のサインイン {seen}")


@user.command("set-role")
@click.argument("login")
@click.argument("role", type=click.Choice([str(r) for r in Role]))
def set_role(login: str, role: str) -> None:
    """役割を変える。その人はすぐにサインアウトされる"""
    ctx = current_context()
    users.set_role(ctx, users.user_id_of(ctx, login), role, by=CLI)
    click.echo("役割を変えました。")


@user.command("disable")
@click.argument("login")
def disable_user(login: str) -> None:
    """利用者を無効にする。その人はすぐにサインアウトされる"""
    ctx = current_context()
    users.disable(ctx, users.user_id_of(ctx, login), by=CLI)
    click.echo("利用者を無効にしました。")


@user.command("enable")
@click.argument("login")
def enable_user(login: str) -> None:
    """無効にした利用者を、また使えるようにする"""
    ctx = current_context()
    users.enable(ctx, users.user_id_of(ctx, login), by=CLI)
    click.echo("利用者を有効にしました。")


@user.command("reset-password")
@click.argument("login")
def reset_password(login: str) -> None:
    """新しいパスワードを作る。このときだけ標準出力に書く。その人はすぐにサインアウトされる"""
    ctx = current_context()
    _show_once(users.reset_password(ctx, users.user_id_of(ctx, login), by=CLI))


def _show_once(password: str) -> None:
    click.echo(f"パスワード: {password}")
    click.echo("このパスワードは二度と表示されません。サインインしたら、アカウントの画面で変えてください。", err=True)


def _as_json(view: UserView) -> dict[str, str | None]:
    seen = view.last_sign_in_at.isoformat() if view.last_sign_in_at else None
    state = "disabled" if view.disabled_at else "active"
    return {"login": view.login, "role": view.role, "state": state, "last_sign_in_at": seen}


@key.command("add")
@click.option("--name", required=True, help="何に使うキーか")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([str(s) for s in Scope]),
    help="繰り返して指定できる",
)
def add_key(name: str, scopes: tuple[str, ...]) -> None:
    """API キーを作る。キーだけを標準出力に書く"""
    token = api_keys.add_key(current_context(), name, scopes)
    click.echo(token)
    click.echo("このキーは二度と表示されません。安全な場所に保管してください。", err=True)


@key.command("revoke")
@click.argument("prefix")
def revoke_key(prefix: str) -> None:
    """API キーを使えなくする(PREFIX は flask key list に出る)"""
    api_keys.revoke_key(current_context(), prefix)
    click.echo("キーを無効にしました。")


@key.command("list")
def list_keys() -> None:
    """API キーの一覧(秘密の部分は保存されていない)"""
    for view in api_keys.list_keys(current_context()):
        state = f"無効({view.revoked_at:%Y-%m-%d})" if view.revoked_at else "有効"
        used = f"{view.last_used_at:%Y-%m-%d %H:%M} UTC" if view.last_used_at else "未使用"
        click.echo(f"{view.prefix}  {state}  最終利用 {used}  {view.name}  {' '.join(sorted(view.scopes))}")


@db.command("upgrade")
def upgrade() -> None:
    """データベースを最新の形にする。より新しいバージョンが移行したものは、そのままにする"""
    ctx = current_context()
    reachable, migrated = database_state(ctx)
    if reachable and is_ahead(ctx):
        click.echo("データベースは、このバージョンより新しいバージョンのものです。そのまま使えるので、何も変えません。")
        return
    upgrade_database(ctx, current_migration(), migrated=migrated)
    click.echo("データベースは最新です。")
    if not first_administrator.has_users(current_context()):
        click.echo("利用者がまだいません。flask user first で最初の管理者を作ってください。", err=True)
