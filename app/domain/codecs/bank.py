"""Codecs of the bank account, and which of SmartHR's accounts is the one for salary."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.codecs.base import (
    DIGIT_COUNT,
    KANA_CHARACTERS,
    LETTERS_IN_NUMBER,
    CannotEncode,
    Choice,
    Raw,
    digits_of,
    text_of,
    text_to_write,
)
from app.domain.japanese.kana import fold_hyphens, full_width, katakana, large_kana, stable, without_spaces
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import FieldState, Plain, Unconvertible
from app.domain.vendors.assumptions import SMARTHR_SAVING_IS_ORDINARY, YUCHO_BANK_CODE

SMARTHR_ACCOUNT_KEYS = ("bank_code", "bank_branch_code", "account_type", "account_number", "account_holder_name")


@dataclass(frozen=True)
class PaddedDigits:
    """Bank code (4), branch code (3): leading zeros are put back."""

    length: int
    name: str = "padded_digits"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        return self.padded(text) if isinstance(text, str) else text

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        padded = self.padded(text_to_write(plain))
        if isinstance(padded, Unconvertible):
            raise CannotEncode(padded.reason)
        return (padded,)

    def comparable(self, plain: Plain) -> str:
        padded = self.padded(str(plain))
        return str(plain) if isinstance(padded, Unconvertible) else padded

    def padded(self, text: str) -> str | Unconvertible:
        digits = digits_of(text)
        if digits is None:
            return LETTERS_IN_NUMBER
        return digits.zfill(self.length) if len(digits) <= self.length else DIGIT_COUNT


_SEVEN_DIGITS = PaddedDigits(length=7)


@dataclass(frozen=True)
class AccountNumber:
    """口座番号, 7 digits, with the bank code beside. Of ゆうちょ's 8 digits the last one is dropped: lossy."""

    name: str = "account_number"
    lossy: bool = True

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        if not isinstance(text, str):
            return text
        digits = digits_of(text)
        is_yucho = isinstance(raw[1], str) and digits_of(raw[1]) == YUCHO_BANK_CODE
        return digits[:-1] if digits and len(digits) == 8 and is_yucho else _SEVEN_DIGITS.padded(text)

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        return _SEVEN_DIGITS.encode(plain, current, options)

    def comparable(self, plain: Plain) -> str:
        return _SEVEN_DIGITS.comparable(plain)


def smarthr_account_type(*, saving_is_ordinary: bool) -> Choice:
    """SmartHR's three words. 普通, 当座 and 貯蓄 have words of our own, because freee's "saving" is not SmartHR's."""
    ordinary, savings = ("saving", "deposit") if saving_is_ordinary else ("deposit", "saving")
    return Choice(words=((ordinary, "futsu"), ("checking", "toza"), (savings, "chochiku")), name="account_type")


SMARTHR_ACCOUNT_TYPE = smarthr_account_type(saving_is_ordinary=SMARTHR_SAVING_IS_ORDINARY)
FREEE_ACCOUNT_TYPE = Choice(
    words=(("ordinary", "futsu"), ("current", "toza"), ("saving", "chochiku")), name="account_type"
)


@dataclass(frozen=True)
class AccountHolder:
    """口座名義: kana, letters, digits and the signs of bank forms, written in full width.

    Two names are compared as banks compare them: small kana, hyphens and long vowels, dots, spaces and width make no
    difference.
    """

    max_length: int | None = None
    name: str = "account_holder"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        return written_holder(text) or KANA_CHARACTERS if isinstance(text, str) else text

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        written = written_holder(text_to_write(plain))
        if written is None:
            raise CannotEncode(KANA_CHARACTERS.reason)
        return (text_to_write(written, max_length=self.max_length),)

    def comparable(self, plain: Plain) -> str:
        return stable(_fold_holder, str(plain))


def _fold_holder(text: str) -> str:
    kana = large_kana(katakana(text).upper())
    return re.sub(r"[.・]", "", without_spaces(fold_hyphens(kana, long_vowel=True)))


_HOLDER = re.compile(r"[ァ-ヺー・A-Z0-9().,/\-「」 ]+")


def written_holder(text: str) -> str | None:
    """ﾔﾏﾀﾞ ﾀﾛｳ → ヤマダ　タロウ; None when other signs are in it."""
    kana = fold_hyphens(katakana(text)).strip().upper()
    return full_width(kana).replace(" ", "　") if _HOLDER.fullmatch(kana) else None


_PAYS_SALARY = ("salary", "salary_and_bonus")


def salary_account(accounts: Sequence[Any]) -> int | None:
    """The index of the account that receives the full salary, else of the first one; None when there is none."""
    filled = [index for index, account in enumerate(accounts) if isinstance(account, Mapping)]
    for index in filled:
        account = accounts[index]
        if account.get("transfer_type") == "full" and account.get("transfer_category") in _PAYS_SALARY:
            return index
    return filled[0] if filled else None


_WRITABLE = (*SMARTHR_ACCOUNT_KEYS, "transfer_type", "specified_transfer_amount", "transfer_category")


def accounts_to_write(present: Sequence[Any], changed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """SmartHR's whole `bank_accounts` list with the keys of the salary account replaced.

    The other accounts and keys stay; images are left out (SmartHR does not take them in the form in which it shows
    them). Either every entry carries `bank_account_setting_id` or none (SmartHR answers 400 to a mixture,
    smarthr-api 5.4).
    """
    entries = [account for account in present if isinstance(account, Mapping)]
    chosen = salary_account(entries)
    merged = [{**entry, **changed} if index == chosen else entry for index, entry in enumerate(entries)] or [changed]
    with_ids = all(entry.get("bank_account_setting_id") for entry in merged)
    keys = (*_WRITABLE, "bank_account_setting_id") if with_ids else _WRITABLE
    written = [{key: entry[key] for key in keys if entry.get(key) is not None} for entry in merged]
    if any(not written[chosen or 0].get(key) for key in SMARTHR_ACCOUNT_KEYS):
        raise CannotEncode("bank_incomplete")
    return written
