"""What `make run` says when everything is up."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from app.practice.house.connecting import Administrator
from app.practice.house.environment import Ports, without_password
from app.practice.staff import practice_company


class House(Protocol):
    """What the banner has to know of a running house."""

    @property
    def folder(self) -> Path: ...

    @property
    def ports(self) -> Ports: ...

    @property
    def env(self) -> Mapping[str, str]: ...

    @property
    def connection(self) -> str: ...

    @property
    def api_key(self) -> str: ...

    @property
    def connections(self) -> tuple[str, ...]: ...

    @property
    def notices(self) -> tuple[str, ...]: ...

    @property
    def url(self) -> str: ...


def _inbox(house: House) -> str:
    """Where a person reads the mails."""
    return f"\n  メールを読む        http://127.0.0.1:{house.ports.inbox}/" if house.ports.inbox else ""


def banner(house: House, *notes: str, administrator: Administrator, is_guided: bool = False) -> str:
    """What a person who has just started everything wants to know; every command can be pasted as it is."""
    body = {
        "connection": house.connection,
        "direction": "smarthr_to_freee",
        "as_of_date": practice_company.japan_today().isoformat(),
        "employees": "all",
        "dry_run": False,
        "acknowledge_mass_change": True,
    }
    smarthr, freee = (f"http://127.0.0.1:{port}" for port in (house.ports.smarthr, house.ports.freee))
    broker = house.env.get("REDIS_URL")
    own = (f"ブローカーは REDIS_URL の {without_password(broker)} です。",) if broker else ()
    noted = "".join(f"\n  ※ {note}" for note in (*house.notices, *notes, *own))
    return f"""
{_guide(house) if is_guided else ""}  Awase               {house.url}
  サインイン          {_sign_in(house, administrator)}
  API の説明          {house.url}/api/docs
  API キー            {house.api_key}
  練習用の接続        {house.connection}{_further(house)}
  練習用の SmartHR    {smarthr}/_practice/people
  練習用の freee      {freee}/_practice/people
  届いたメール        {house.folder / "mail"} (*.eml){_inbox(house)}
  ログ                {house.folder / "log"}
{noted}
  同期を始める(SmartHR → freee人事労務。逆は freee_to_smarthr、下見だけなら "dry_run": true):

curl -X POST {house.url}/api/v1/runs -H 'Authorization: Bearer {house.api_key}' \\
  -H 'Content-Type: application/json' -d '{json.dumps(body)}'

  進み具合と結果を見る:

curl {house.url}/api/v1/runs -H 'Authorization: Bearer {house.api_key}'

  画面での変更をまねる(もう一度同期すると、その人だけが反映されます):

curl -X PUT {smarthr}/_practice/crews/0001 -H 'Content-Type: application/json' -d '{{"position": "部長"}}'

  変更が自動で反映されるようにする(はじめは手動だけ。片方向は smarthr_to_freee か freee_to_smarthr、やめるときは off):

{shlex.quote(str(house.folder / "flask"))} connection set-automatic {house.connection} --directions both

  最初の照合は書き込まずに確認待ちになります。上のコマンドが表示する flask sync approve か、画面で承認すると始まります。

  練習用の会社は外部に接続しません。データは {house.folder} に残ります。Ctrl-C で終了します。
"""


def _guide(house: House) -> str:
    return f"  はじめの15分        http://127.0.0.1:{house.ports.guide}/  ← ここから始めてください(5つの課題)\n"


def _further(house: House) -> str:
    """The connections of further companies, each with the number by which the practice vendors know it."""
    lines = [f"\n                      {key}(?company={n})" for n, key in enumerate(house.connections[1:], start=2)]
    return "".join(lines)


def _sign_in(house: House, administrator: Administrator) -> str:
    if administrator.password is not None:
        return f"{administrator.login} / {administrator.password}(このパスワードが表示されるのは今回だけです)"
    words = [str(house.folder / "flask"), "user", "reset-password", administrator.login]
    return f"{administrator.login}(パスワードを忘れたときは {shlex.join(words)})"
