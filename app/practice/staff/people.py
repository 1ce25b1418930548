"""Ordinary invented people by the number: the same index gives the same person on every machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache

from app.practice.staff.forms import Account, Place, Worker
from app.practice.staff.lists import BANKS, FEMALE_NAMES, MALE_NAMES, STANDARD_INCOMES, SURNAMES, TITLES, TOWNS


def ordinary(index: int, today: date, *, group: str = "正社員") -> Worker:
    """An employee with every item filled, who joined at least a year before `today`."""
    last_name, last_kana = SURNAMES[index * 7 % len(SURNAMES)]
    given = FEMALE_NAMES if index % 2 else MALE_NAMES
    first_name, first_kana = given[(index * 3 + index // 40) % len(given)]
    income = STANDARD_INCOMES[index % len(STANDARD_INCOMES)]
    home = place(index)
    return Worker(
        number=f"{index:04d}",
        last_name=last_name,
        first_name=first_name,
        last_kana=last_kana,
        first_kana=first_kana,
        birth=date(today.year - 23 - index * 5 % 37, 1 + index * 7 % 12, 1 + (index * 11 + index // 336) % 28),
        gender="female" if index % 2 else "male",
        hired=date(today.year - 2 - index % 15, 4, 1),
        title=_title(index, group),
        spouse=index % 3 == 0,
        home=home,
        registered=home if index % 4 else place(index + 5),
        phone=phone(index),
        account=account(index, f"{last_kana} {first_kana}"),
        employment_number="" if group == "役員" else f"{5000 + index % 4000:04d}{index % 1_000_000:06d}{index % 10}",
        basic_pension=f"{3000 + index % 5000:04d}{index % 1_000_000:06d}",
        health_number=index,
        pension_number=index,
        health_income=income,
        pension_income=income,
        group=group,
        pay=1_150 if group == "アルバイト" else income,
        email=f"staff{index:05d}@example.com",
    )


def _title(index: int, group: str) -> str:
    if group == "役員":
        return "代表取締役" if index % 2 == 0 else "取締役"
    if group == "アルバイト" or index % 3:
        return ""
    return TITLES[index // 3 % 5]


@lru_cache(maxsize=4096)
def place(index: int) -> Place:
    """An address in Japan, without a building or flat."""
    town = TOWNS[index % len(TOWNS)]
    street = f"{town.quarter}{1 + index % 4}-{1 + index % 19}-{1 + index % 31}"
    return Place(town.zip_code, town.code, town.prefecture, town.city, street, town.prefecture_kana, town.kana)


def phone(index: int) -> tuple[str, str, str]:
    """A mobile number, for every fifth person a Tokyo one; both from blocks from which no subscriber gets a number."""
    if index % 5 == 0:
        return ("03", f"0{index // 10_000 % 1000:03d}", f"{index % 10_000:04d}")
    return ("090", f"0{index // 10_000 % 1000:03d}", f"{index % 10_000:04d}")


def account(index: int, holder: str) -> Account:
    bank, branch = BANKS[index % len(BANKS)]
    kind = "deposit" if index % 13 == 0 else "checking" if index % 17 == 0 else "saving"
    return Account(bank, branch, f"{1_000_000 + index:07d}", holder, kind)


def moved(worker: Worker, index: int) -> Worker:
    """The same person at another address."""
    return replace(worker, home=place(index))


def of_company(worker: Worker, further: int) -> Worker:
    """The same person in the so many-th further company: another surname, everywhere where it stands."""
    if not further:
        return worker
    kana = _another(worker.last_kana, 1, further)
    account = worker.account
    if account is not None and account.holder.startswith(worker.last_kana):
        account = replace(account, holder=kana + account.holder.removeprefix(worker.last_kana))
    return replace(worker, last_name=_another(worker.last_name, 0, further), last_kana=kana, account=account)


def _another(word: str, part: int, further: int) -> str:
    """The surname (`part` 0) or its reading (1) so many places further in the list; a word that is no entry stays."""
    words = [entry[part] for entry in SURNAMES]
    return words[(words.index(word) + further) % len(words)] if word in words else word


def first_of_month(today: date, months_ago: int) -> date:
    months = today.year * 12 + today.month - 1 - months_ago
    return date(months // 12, months % 12 + 1, 1)


def days(today: date, count: int) -> date:
    """`count` days after `today`, before it when negative."""
    return today + timedelta(days=count)
