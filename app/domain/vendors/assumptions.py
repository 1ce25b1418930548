"""What the vendors do not document and this product therefore assumes, each with its evidence.

Evidence is called as in docs/vendors/smarthr.md and docs/vendors/freee.md: contract, docs, help, field, assumed.
Change a value here after a check against a real account; nothing else needs to change.
"""

from __future__ import annotations

from typing import Final

SMARTHR_SAVING_IS_ORDINARY: Final[bool] = True
"""SmartHR's account_type `saving` is 普通 (freee's `ordinary`) and `deposit` is 貯蓄 (freee's `saving`).

Assumed: no label is published for SmartHR's three words; freee's stand in its contract. 普通 is by far the commonest
salary account and `saving` the first word of SmartHR's list. False turns the two round: `saving` 貯蓄, `deposit` 普通.
Check one real account before the first run.
"""

POSITION_LOWEST_RANK_FIRST: Final[bool] = True
"""Of several SmartHR positions the one with the lowest rank number is 役職 for freee's 肩書.

Assumed: `rank` is 1…99999 (contract) without a published direction; the order of a hierarchy usually starts with 1.
Positions without rank come last; equal ranks keep the order of SmartHR's slots.
"""

YUCHO_BANK_CODE: Final[str] = "9900"
"""ゆうちょ銀行, where a number of 8 digits is cut to 7 under one condition: it ends in 1.

Field: the bank's public explanation of how 記号・番号 become 店名・預金種目・口座番号 for transfers from other banks.
番号 of 通常貯金 and 通常貯蓄貯金 has up to 8 digits, the last of which is always 1; the account number for transfers
is that 番号 without the last digit, filled up to 7 with zeros (店番: second and third digit of the 記号, and 8). The
番号 of a 振替口座 is filled up to 7 and never cut (店番 ends in 9, 預金種目 当座). Assumed: SmartHR and freee hold the
number for transfers.
"""

JAPAN_COUNTRY_NUMBERS: Final[frozenset[str]] = frozenset({"", "392", "JP", "JPN"})
"""country_number values that mean Japan. Field: 392 (ISO 3166-1 numeric) or blank; the letters are accepted as well."""

NEW_ADDRESS_COUNTRY: Final[str] = "392"
"""country_number of an address object that did not exist in SmartHR before. Help: three digits or 400."""

SMARTHR_ADDRESS_KANA_TAKES_SIGNS: Final[bool] = True
"""住所（ヨミガナ） may hold full-width digits, letters and hyphens beside katakana.

Assumed: the known message only says 全角カタカナ. With False such a reading is not written but reported.
"""

INTEGER_LIMIT: Final[int] = 2_147_483_647
"""Both contracts declare whole numbers as int32."""

SMARTHR_CREW_PAGE: Final[str] = "https://{subdomain}.smarthr.jp/crews/{id}"
"""Where a person sees an employee on SmartHR's screens.

Assumed: the tenant's host is that of the API (docs); the path follows the API's resource and its id. A wrong path shows
SmartHR's own page of that tenant, never a page of another company.
"""

FREEE_EMPLOYEE_PAGE: Final[str] = "https://p.secure.freee.co.jp/#employees/{id}"
"""Where a person sees an employee on freee人事労務's screens.

Field: the host, and that places stand behind the `#`. Assumed: the word and the id there; a wrong one shows freee's
home page.
"""
