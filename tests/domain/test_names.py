"""The one rule about names: what cannot be seen, or ends a line, is none of them."""

from __future__ import annotations

import csv
import io
from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st

from app.domain.settings.names import cleaned, is_clean

UNSEEN = [
    *("\n", "\r", "\r\n", "\t", "\0", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029"),  # lines, controls
    *("\u202a", "\u202e", "\u2066", "\u2069", "\u200e", "\u061c"),  # directions
    *("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u034f", "\u3164", "\uffa0", "\u2800", "\U000e0041"),
    *("\ud800", "\udfff"),  # halves of pairs
]
GOOD = ["株式会社　見本", "㈱髙﨑", "葛\U000e0100城市", "Müller & Söhne 𠮷田", "ｶﾌﾞｼｷｶﾞｲｼｬ", "\ue000外字", "Zoë’s"]


def test_what_people_write_is_a_name() -> None:
    for name in GOOD:
        assert is_clean(name) and cleaned(name) == name, name


def test_what_cannot_be_seen_is_none() -> None:
    for sign in UNSEEN:
        for name in (sign, f"会社{sign}名", f"{sign}会社", f"会社{sign}"):
            assert not is_clean(name), ascii(name)
            assert is_clean(cleaned(name)) and "会社" in cleaned(f"会社{sign}"), ascii(name)


@given(st.text(alphabet=st.characters(), max_size=30))
def test_a_cleaned_name_is_clean_and_stays_where_it_is_put(text: str) -> None:
    name = cleaned(text)
    assert is_clean(name) and cleaned(name) == name
    assert (name == text) == is_clean(text)
    assert len(f"{name}|".splitlines()) == 1
    message = EmailMessage()
    message["Subject"] = name
    written = io.StringIO()
    csv.writer(written).writerow([name, "x"])
    assert written.getvalue().count("\n") == 1
