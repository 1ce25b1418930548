"""The results of a run as a file in which Excel shows every value unchanged.

The file is RFC 4180 with a byte order mark, every cell in quotes. An employee's number is written as `="00123"`: Excel
and similar programs show that as the text 00123, while they would turn a bare 00123 into 123 and a bare 1-2 into a day.
The number inside cannot act as a formula, because its quotes are doubled. Any other cell that begins like a formula
gets an apostrophe in front.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.domain.error_catalogue.catalogue import ANYWHERE, Happened
from app.domain.vendors.answer import VendorAnswer
from app.use_cases.queries.person_results import ChangeResult, Holds, PersonResult, Shown, Visibility
from app.use_cases.shared.spreadsheet import MARK, no_formula
from app.web.i18n import Wording

_AT_ONCE = 100


def lines(
    people: Iterable[PersonResult], words: Wording, visibility: Visibility, where: Happened = ANYWHERE
) -> Iterator[bytes]:
    """The file piece by piece, in UTF-8.

    `where`: the run. For a viewer who may not see people it holds places in the run instead of numbers and names.
    """
    personal = ("number", "name") if visibility.people else ("position",)
    after = ("items", "month", "changes") if visibility.people else ()
    columns = (*personal, "result", "cause", "why", "remedy", "who", *after)
    held = [MARK + _line(_quoted(words(f"run.csv.{column}")) for column in columns)]
    for person in people:
        held.append(_line(_cells(person, words, visibility, where)))
        if len(held) == _AT_ONCE:
            yield "".join(held).encode()
            held = []
    yield "".join(held).encode()


def _cells(person: PersonResult, words: Wording, visibility: Visibility, where: Happened) -> Iterator[str]:
    if visibility.people:
        yield _as_text(person.number)
        yield _quoted(person.name)
    else:
        yield _quoted(str(person.position))
    yield _quoted(words.label(person.state))
    yield _quoted(_cause(person, words, where))
    for tell in (words.why, words.remedy, words.who):
        yield _quoted(tell(person.error_code, where) if person.error_code else "")
    if visibility.people:
        yield _quoted(words("run.csv.between").join(words.item(change.key) for change in person.changed))
        yield _quoted(words.month(person.pay_month) if person.pay_month else "")
        yield _quoted("\n".join(_change(change, words) for change in person.changed))


def _cause(person: PersonResult, words: Wording, where: Happened) -> str:
    """What happened, and below it what the vendors said."""
    if person.error_code is None:
        return ""
    return "\n".join((words.message(person.error_code, where), *(_answer(each, words) for each in person.answers)))


def _answer(answer: VendorAnswer, words: Wording) -> str:
    vendor = words.label(answer.system) if answer.system else words("run.person.product")
    said = answer.words or words("run.person.no_words")
    about = [*([words.label(answer.step)] if answer.step else []), *(words.item(key) for key in answer.named)]
    if not about:
        return words("run.csv.answer_only", vendor=vendor, words=said)
    return words("run.csv.answer", vendor=vendor, where=words("run.csv.between").join(about), words=said)


def _change(change: ChangeResult, words: Wording) -> str:
    before, after = (_shown(side, words) for side in (change.before, change.after))
    return words("run.csv.change", item=words.item(change.key), before=before, after=after)


def _shown(side: Shown, words: Wording) -> str:
    return side.text or words(f"run.holds.{side.holds.value}") if side.holds is not Holds.MASKED else side.text


def _line(cells: Iterable[str]) -> str:
    return ",".join(cells) + "\r\n"


def _quoted(text: str) -> str:
    return '"' + no_formula(text).replace('"', '""') + '"'


def _as_text(number: str) -> str:
    """A formula that is nothing but this text."""
    plain = "".join(sign for sign in number if sign.isprintable())
    return _inner('="' + plain.replace('"', '""') + '"') if plain else '""'


def _inner(formula: str) -> str:
    return '"' + formula.replace('"', '""') + '"'
