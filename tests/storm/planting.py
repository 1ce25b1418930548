"""Does the search find anything? Canaries are planted where it looks, in the forms they would have there."""

from __future__ import annotations

import json
import zlib
from email.message import EmailMessage

from sqlalchemy import Engine, text

from tests.chaos.house import House
from tests.storm import outside
from tests.storm.canary import Canaries, Search

JOB = "rq:job:planted"
PLACES = ("logs", "broker", "queue payloads", "metrics", "mails", "database")


def self_test(house: House, canaries: Canaries, engine: Engine) -> list[str]:
    """Every place where a planted word or a planted number was not found; [] is what is wanted. Everything planted
    is taken back."""
    missed = []
    for kind, planted in (
        ("word", min(word for word in canaries.words if not word.isascii())),
        ("number", min(canaries.numbers)),
    ):
        found = {leak.partition(":")[0] for leak in _planted(house, canaries, engine, planted).leaks}
        missed += [f"{place}: {kind}" for place in PLACES if place not in found]
    return missed


def _planted(house: House, canaries: Canaries, engine: Engine, value: str) -> Search:
    search = Search(canaries)
    log = house.processes.logs / "planted.log"
    log.write_text(json.dumps({"event": "item_done", "name": value}) + "\n", encoding="ascii")
    search.look_at_files("logs", [log])
    client = house.broker.client
    client.set("planted", value)
    client.hset(JOB, "data", zlib.compress(json.dumps(["sync_item", None, [value], {}]).encode()))
    search.look_at_broker(client)
    client.delete("planted", JOB)
    search.look("metrics", "planted", f'awase_items_total{{who="{value}"}} 1'.encode())
    mail = EmailMessage()
    mail.set_content(f"{value} さんの連携に失敗しました。", cte="base64")
    (house.mails / "planted.eml").write_bytes(bytes(mail))
    search.look_at_mails(house.mails)
    (house.mails / "planted.eml").unlink()
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE planted (id integer, value text)"))
        connection.execute(text("INSERT INTO planted VALUES (1, :value)"), {"value": value})
    outside.look_at_database(house, search)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE planted"))
    log.unlink()
    return search
