"""The part of a summary mail that says of whom an earlier mail told, and who waits for nobody any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.domain.mail_text.letter import GAP, LONGEST_NAME, Kind, Line, Words, one_line, said


def healed_part(numbers: Sequence[str], people: int, say: Words) -> Iterator[Line]:
    """`numbers`: employee numbers of the first of these `people`."""
    if not people:
        return
    yield GAP
    yield Line(Kind.SECTION, say("mail.healed_title", n=people))
    yield said(say("mail.healed"))
    named = [one_line(each, LONGEST_NAME) or say("mail.no_number") for each in numbers]
    if named:
        yield Line(Kind.BULLET, "".join(say("mail.number", number=each) for each in named))
    rest = people - len(named)
    if rest > 0:
        yield Line(Kind.BULLET, say("mail.rest", n=rest))
