"""Codecs of the bank account, and which of SmartHR's accounts is the one for salary."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from app.domain.codecs.base import (
    DIGIT_COUNT,
    KANA_CHARACTERS,
    LETTERS_IN_NUMBER,
    WIDTH,
    CannotEncode,
    Choice,
    Raw,
    digits_of,
    text_of,
    text_to_write,
)
from app.domain.japanese.kana import (
    TO_FULL_WIDTH,
    fold_hyphens,
    katakana,
    large_kana,
    narrow,
    stable,
    without_spaces,
)
from app.domain.japanese.normal_form import Rule, carried, normal
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import FieldState, Plain, Unconvertible
from app.domain.vendors.assumptions import SMARTHR_SAVING_IS_ORDINARY, YUCHO_BANK_CODE

SMARTHR_ACCOUNT_KEYS = ("bank_code", "bank_branch_code", "account_type", "account_number", "account_holder_name")


@dataclass(frozen=True)
class PaddedDigits:
    """Bank code (4), branch code (3): leading zeros are put back. Hyphens and blanks are a question, because 001-1234
    may be a branch and a number."""

    length: int
    name: str = "padded_digits"
    lossy: bool = False

    @property
    def rules(self) -> tuple[Rule, ...]:
        return (WIDTH, Rule("rule_zeros", self._with_zeros))

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
        digits = carried(text, self.rules)
        if not _is_digits(digits):
            return LETTERS_IN_NUMBER
        return digits if len(digits) == self.length else DIGIT_COUNT

    def _with_zeros(self, text: str) -> str:
        return text.zfill(self.length) if _is_digits(text) else text


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


_SEVEN_DIGITS = PaddedDigits(length=7)
_YUCHO_NUMBER = Unconvertible("yucho_number")
_CURRENT_ACCOUNTS = frozenset({"checking", "current"})  # 当座 in SmartHR's and in freee's words


def transfer_number(number: str) -> str:
    """ゆうちょ銀行's 番号 of 8 digits, whose last one is always 1, as the 7 digits for transfers from other banks."""
    return number[:-1] if _is_digits(number) and len(number) == 8 and number.endswith("1") else number


_YUCHO_RULES = (WIDTH, Rule("rule_yucho", transfer_number), *_SEVEN_DIGITS.rules[1:])


@dataclass(frozen=True)
class AccountNumber:
    """口座番号, 7 digits, with the bank, the branch and the kind of account beside. Lossy: see YUCHO_BANK_CODE.

    ゆうちょ銀行's own 番号 has up to 8 digits and ends in 1. Of 8 digits that end in 1 the last one is left out. Other
    8 digits are a question, and so are fewer than 7 that end in 1: a short 番号, whose last digit would have to go,
    looks like a transfer number that lost its zeros. The number of a 振替口座 (当座, branch …9) is never cut.
    """

    name: str = "account_number"
    lossy: bool = True
    writes: ClassVar[str] = "own_number_kept"

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        if not isinstance(text, str):
            return text
        return _yucho_number(text, raw) if _is_yucho(raw) else _SEVEN_DIGITS.padded(text)

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        """ゆうちょ銀行's own 番号 stays as it is where another part of the account changes."""
        written = _SEVEN_DIGITS.encode(plain, current, options)
        held = current[0]
        if isinstance(held, str) and len(normal(held)) == 8 and self.decode(current, options) == written[0]:
            return (narrow(normal(held)),)
        return written

    def comparable(self, plain: Plain) -> str:
        return _SEVEN_DIGITS.comparable(plain)

    def rules_for(self, raw: Raw) -> tuple[Rule, ...]:
        return _YUCHO_RULES if _is_yucho(raw) else _SEVEN_DIGITS.rules

    def not_carried(self, raw: Raw, options: MappingOptions) -> tuple[str, ...]:
        digits = carried(normal(raw[0]), (WIDTH,)) if isinstance(raw[0], str) and _is_yucho(raw) else ""
        return ("last_digit",) if transfer_number(digits) != digits else ()


def _is_yucho(raw: Raw) -> bool:
    return isinstance(raw[1], str) and digits_of(raw[1]) == YUCHO_BANK_CODE


def _yucho_number(text: str, raw: Raw) -> FieldState:
    digits = narrow(text)
    if not _is_digits(digits):
        return LETTERS_IN_NUMBER
    if len(digits) == 7:
        return digits
    if _is_transfer_account(raw):  # its own number has at most 6 digits and none too many
        return digits.zfill(7) if len(digits) < 7 else _YUCHO_NUMBER
    seven = transfer_number(digits)
    if len(digits) < 7 and not digits.endswith("1"):
        return digits.zfill(7)
    return seven if len(seven) == 7 else _YUCHO_NUMBER


def _is_transfer_account(raw: Raw) -> bool:
    """Whether this is ゆうちょ銀行's 振替口座: 当座, with a branch that ends in 9."""
    branch = digits_of(raw[2]) if isinstance(raw[2], str) else None
    return raw[3] in _CURRENT_ACCOUNTS or bool(branch and len(branch) == 3 and branch.endswith("9"))


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
    difference. A hyphen is written as one: banks read it like ー.
    """

    max_length: int | None = None
    name: str = "account_holder"
    lossy: bool = False

    @property
    def rules(self) -> tuple[Rule, ...]:
        return _HOLDER_RULES

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
    kana = large_kana(katakana(normal(text)).upper())
    return re.sub(r"[.・]", "", without_spaces(fold_hyphens(kana, long_vowel=True)))


_SMALL_LETTERS = {small: small - 0x20 for small in range(ord("ａ"), ord("ｚ") + 1)}
_HOLDER_RULES = (
    *TO_FULL_WIDTH,
    Rule("rule_capitals", lambda text: text.translate(_SMALL_LETTERS)),
)
_HOLDER = re.compile(r"(?=.*[ァ-ヺＡ-Ｚ０-９])[ァ-ヺー・Ａ-Ｚ０-９（）．，／－「」　]+")


def written_holder(text: str) -> str | None:
    """ﾔﾏﾀﾞ ﾀﾛｳ → ヤマダ　タロウ; None when other signs are in it."""
    holder = carried(text, _HOLDER_RULES)
    return holder if _HOLDER.fullmatch(holder) else None


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
    them). Either every entry carries `bank_account_setting_id` or none (SmartHR answers 400 to a mixture).
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
