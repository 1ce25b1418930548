"""`python -m tests.domain.noting`: notes in what forms the values of the samples are compared, an item a line.

A form that is noted for the present VERSION stays; noted are new items, and all of them when VERSION was raised.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.domain.mapping import FIELDS
from app.domain.planning.rule_version import VERSION
from app.domain.planning.three_way import form
from tests.domain.records import crew, employee, seen_in_freee, seen_in_smarthr

NOTED = Path(__file__).with_name("noted_forms.json")
SAMPLES = [
    seen_in_smarthr(crew()),
    seen_in_freee(employee()),
    seen_in_smarthr(
        crew(
            last_name="髙橋",
            last_name_yomi="ﾀｶﾊｼ",
            first_name_yomi="カ゛ク",
            emp_code=" ００１ ",
            tel_number="０９０−００００−１２３４",
            address__pref="",
            address__building="ハイツ１０１",
            address__literal_yomi="トウキョウトミナトク",
            resident_card_address__pref=None,
            resident_card_address__street="北一条西二丁目１－２",
            basic_pension_number="0123456789",
        )
    ),
    seen_in_freee(
        employee(
            num="",
            profile_rule__last_name_kana="スミス－ジョーンズ",
            profile_rule__address_kana="サッポロシ　チュウオウク１",
            profile_rule__prefecture_code=-1,
            profile_rule__gender="unselected",
            profile_rule__phone1="",
            health_insurance_rule__reference_num="A-123",
            bank_account_rule__account_name="(ｶ)ﾐﾎﾝ",
        )
    ),
]


def noted() -> tuple[int, dict[str, str]]:
    """(the version, key → digest of its forms)."""
    kept: dict[str, Any] = json.loads(NOTED.read_text(encoding="utf-8"))
    return kept["version"], kept["forms"]


def forms_now() -> dict[str, str]:
    """Key of FIELDS → digest of the forms in which its values in the samples are compared."""
    forms = {row.key: [form(row, sample[row.key]) for sample in SAMPLES] for row in FIELDS}
    return {
        key: hashlib.sha256(json.dumps(each, ensure_ascii=False).encode()).hexdigest()[:8]
        for key, each in forms.items()
    }


def note(version: int, forms: Mapping[str, str]) -> None:
    NOTED.write_text(f"{json.dumps({'version': version, 'forms': forms}, indent=1)}\n", encoding="ascii")


if __name__ == "__main__":
    before, known = noted()
    note(VERSION, forms_now() | (known if before == VERSION else {}))
