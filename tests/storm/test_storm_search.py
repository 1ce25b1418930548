"""The search for canaries finds them in every form in which a service would leak them, and nothing else."""

from __future__ import annotations

import json
import zlib
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.storm.canary import Canaries, Search, read_mail, unpacked

CANARIES = Canaries(frozenset({"金糸雀", "secret-token-1"}), frozenset({"9160001", "07060060001", "9876060001"}))


@pytest.mark.parametrize(
    "text",
    [
        "name=金糸雀".encode(),
        json.dumps({"name": "金糸雀"}).encode(),
        b"Authorization: Bearer secret-token-1",
        b'{"account": "9160001"}',
        b"account 9160001.",
        b"070-6006-0001",
        b"tel:07060060001",
        b"9876-060001",
        b"1234507060060001",
        unpacked(zlib.compress(b'["9160001"]')),
    ],
)
def test_a_canary_is_found(text: bytes) -> None:
    assert CANARIES.found_in(b"... " + text + b" ...") == 1


@pytest.mark.parametrize(
    "text", [b"9160002", b"a9160001", b"9160001f", b"91600010", b"2026-11-22", b"61f9160001c2", b""]
)
def test_other_numbers_and_digests_are_none(text: bytes) -> None:
    assert CANARIES.found_in(text) == 0


def test_what_cannot_be_unpacked_is_searched_as_it_is() -> None:
    assert unpacked(b"no zlib") == b"no zlib"


def test_a_mail_is_read_as_its_reader_sees_it() -> None:
    mail = EmailMessage()
    mail["Subject"] = "金糸雀 さん"
    mail.set_content("口座 9160001", cte="base64")
    assert b"9160001" not in bytes(mail)
    assert CANARIES.found_in(read_mail(bytes(mail))) == 2


def test_the_search_tells_where_and_how_much(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("金糸雀 9160001", encoding="utf-8")
    (tmp_path / "relay.log").write_text("nothing", encoding="utf-8")
    search = Search(CANARIES)
    search.look_at_files("logs", sorted(tmp_path.iterdir()))
    search.look("metrics", "/metrics", b"awase_items_total 1")
    assert search.leaks == {"logs: web.log": 2}
    assert search.told() == {"logs": "2 / 0.0 MB", "metrics": "1 / 0.0 MB"}
    assert len(CANARIES) == 5
    assert "金糸雀" not in repr(search), "nor does the search tell them"
