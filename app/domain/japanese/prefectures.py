"""The 47 prefectures: name, freee's code, reading."""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.japanese.kana import large_kana

# In the order of JIS X 0401, so that the index in this table is freee's code (JIS minus one).
_TABLE: tuple[tuple[str, str], ...] = (
    ("北海道", "ホッカイドウ"),
    ("青森県", "アオモリケン"),
    ("岩手県", "イワテケン"),
    ("宮城県", "ミヤギケン"),
    ("秋田県", "アキタケン"),
    ("山形県", "ヤマガタケン"),
    ("福島県", "フクシマケン"),
    ("茨城県", "イバラキケン"),
    ("栃木県", "トチギケン"),
    ("群馬県", "グンマケン"),
    ("埼玉県", "サイタマケン"),
    ("千葉県", "チバケン"),
    ("東京都", "トウキョウト"),
    ("神奈川県", "カナガワケン"),
    ("新潟県", "ニイガタケン"),
    ("富山県", "トヤマケン"),
    ("石川県", "イシカワケン"),
    ("福井県", "フクイケン"),
    ("山梨県", "ヤマナシケン"),
    ("長野県", "ナガノケン"),
    ("岐阜県", "ギフケン"),
    ("静岡県", "シズオカケン"),
    ("愛知県", "アイチケン"),
    ("三重県", "ミエケン"),
    ("滋賀県", "シガケン"),
    ("京都府", "キョウトフ"),
    ("大阪府", "オオサカフ"),
    ("兵庫県", "ヒョウゴケン"),
    ("奈良県", "ナラケン"),
    ("和歌山県", "ワカヤマケン"),
    ("鳥取県", "トットリケン"),
    ("島根県", "シマネケン"),
    ("岡山県", "オカヤマケン"),
    ("広島県", "ヒロシマケン"),
    ("山口県", "ヤマグチケン"),
    ("徳島県", "トクシマケン"),
    ("香川県", "カガワケン"),
    ("愛媛県", "エヒメケン"),
    ("高知県", "コウチケン"),
    ("福岡県", "フクオカケン"),
    ("佐賀県", "サガケン"),
    ("長崎県", "ナガサキケン"),
    ("熊本県", "クマモトケン"),
    ("大分県", "オオイタケン"),
    ("宮崎県", "ミヤザキケン"),
    ("鹿児島県", "カゴシマケン"),
    ("沖縄県", "オキナワケン"),
)

NAMES: tuple[str, ...] = tuple(name for name, _ in _TABLE)
READINGS: Mapping[str, str] = dict(_TABLE)
_LARGE_READINGS = tuple((name, large_kana(reading)) for name, reading in _TABLE)
_BY_FIRST_SIGN = {
    sign: tuple(pair for pair in _LARGE_READINGS if pair[1].startswith(sign))
    for sign in {reading[0] for _, reading in _LARGE_READINGS}
}
_OF_BUILDINGS = tuple("営民立庁")
_LONGEST_READING = max(len(reading) for _, reading in _TABLE)
_CODES: Mapping[str, int] = {name: code for code, name in enumerate(NAMES)}
# 東京, 大阪, 神奈川: no two prefectures share a name without its suffix. 北海 is not the name of a prefecture.
_SHORT: Mapping[str, str] = {name[:-1]: name for name in NAMES if name != "北海道"}


def full_name(text: str) -> str | None:
    """東京都 or 東京 → 東京都; anything else → None."""
    if text in _CODES:
        return text
    return _SHORT.get(text)


def code_of(name: str) -> int | None:
    """freee's code of a full name, 0 for 北海道."""
    return _CODES.get(name)


def name_of(code: object) -> str | None:
    """The name for freee's code 0…46; None for -1, for anything outside and for what is no integer."""
    if isinstance(code, bool) or not isinstance(code, int) or not 0 <= code < len(NAMES):
        return None
    return NAMES[code]


def named_at_head(text: str) -> str | None:
    """The prefecture whose whole name an address text begins with.

    No municipality and no town begins with the name or the reading of any prefecture, so what stands there is the
    prefecture itself, whatever the prefecture beside the text says. 東京都営, 大阪府立 begin the name of a building.
    """
    if not text.startswith(NAMES):
        return None
    return next((name for name in NAMES if text.startswith(name) and text[len(name) :][:1] not in _OF_BUILDINGS), None)


def read_at_head(kana: str) -> str | None:
    """The prefecture whose reading an address in full-width katakana begins with; キヨウトフ counts as キョウトフ."""
    head = large_kana(kana[:_LONGEST_READING])
    return next((name for name, reading in _BY_FIRST_SIGN.get(head[:1], ()) if head.startswith(reading)), None)


def without_name(text: str, prefecture: str | None) -> str:
    """The address text without the name of this prefecture at the head."""
    return text[len(prefecture) :].lstrip() if prefecture and text.startswith(prefecture) else text


def without_reading(kana: str, prefecture: str | None) -> str:
    """The reading of an address, in full-width katakana, without the reading of this prefecture at the head."""
    if prefecture is None or read_at_head(kana) != prefecture:
        return kana
    return kana[len(READINGS[prefecture]) :].lstrip(" 　")


def with_reading(kana: str, prefecture: str | None) -> str:
    """The reading of an address with the prefecture's reading in front, as SmartHR normally holds it.

    A reading that begins with that of a prefecture stays as it is.
    """
    return kana if read_at_head(kana) else READINGS.get(prefecture or "", "") + kana
