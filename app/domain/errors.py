"""The errors that cross module borders; each name tells what happens next.

`TemporaryError`: the same call may work later. `ItemError`: this employee cannot go through as it is.
`RunError`: nothing in this run can work. `Refused`: a person's or a program's request is not acceptable.
Texts never hold personal values: `code` names an entry of the error catalogue (`app.domain.error_catalogue`), `detail`
tells only what a vendor or a rule said about the *kind* of fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from app.domain.vendors.answer import VendorAnswer


@dataclass(init=False)
class Sentence:
    """What people are told: the key of a text in the catalogue of every language, and what is filled in.

    `key`: "causes.<code>" stands for what the error catalogue says about that code and what to do, and with ".message"
    after it for the first alone. `values`: numbers and names as they are, members of closed lists, further texts, and
    tuples, which are listed.
    """

    key: str
    values: dict[str, Any] = field(repr=False)

    def __init__(self, key: str, /, **values: Any) -> None:
        self.key, self.values = key, values


class AwaseError(Exception):
    """Base of the errors that are part of the product; anything else is our own bug and shows its traceback.

    `keys`: the items (keys of FIELDS) that it is about, where these are known. `answers`: what a vendor said.
    """

    keys: tuple[str, ...] = ()
    answers: tuple[VendorAnswer, ...] = ()

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail

    def about(self, *keys: str) -> Self:
        """The same error, about these items."""
        self.keys = keys
        return self

    def said(self, *answers: VendorAnswer) -> Self:
        """The same error, with what the vendors said."""
        self.answers = answers
        return self


class TemporaryError(AwaseError):
    """The same call may work later.

    `retry_after`: seconds to wait at least, or None for the usual growing pause.
    `counts`: False when this employee did not cause the wait (limit, throttle, pause): the attempt is not counted.
    `closes_connection`: True when the whole vendor side of the connection has to pause (429, throttle, maintenance).
    `outcome_unknown`: True when a write may have happened although no answer came (time-out, cut connection).
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        retry_after: float | None = None,
        counts: bool = True,
        closes_connection: bool = False,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after
        self.counts = counts
        self.closes_connection = closes_connection
        self.outcome_unknown = outcome_unknown


class ItemError(AwaseError):
    """This employee cannot go through as it is; the run goes on."""


class QuestionError(ItemError):
    """Which employee this is has become a question while the job was at work: the item ends as 要確認."""


class RunError(AwaseError):
    """Nothing in this run can work (token, company, rights); the run stops and Awase tells the administrator.

    `needs_consent`: True when only a person can help, by authorising freee anew: the work waits for that.
    """

    def __init__(self, code: str, detail: str = "", *, needs_consent: bool = False) -> None:
        super().__init__(code, detail)
        self.needs_consent = needs_consent


class Refused(AwaseError):
    """A request that is refused before anything is stored: `code` is stable, `status` is HTTP's, `told` is the reason.

    `key`: the code, and after a dot which of its texts (`refusals.<key>`); `values` fill it. `told`: another text.
    `fields`: which parts of the request are wrong, and why (as the whole, for those that are only named). A `str` is no
    text but the id of something that the caller needs.
    """

    def __init__(
        self,
        key: str,
        /,
        *,
        told: Sentence | None = None,
        status: int = 422,
        fields: Mapping[str, Sentence | str] | tuple[str, ...] = (),
        **values: Any,
    ) -> None:
        super().__init__(key.partition(".")[0])
        self.told = told or Sentence(f"refusals.{key}", **values)
        self.status = status
        named = fields if isinstance(fields, Mapping) else dict.fromkeys(fields, self.told)
        self.fields: dict[str, Sentence | str] = dict(named)
