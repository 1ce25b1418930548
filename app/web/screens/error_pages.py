"""Errors as pages: a browser gets a page in the language of its user, a program gets a problem document.

An error page must come even when nothing else works, so it asks the database for nothing that it can do without.
"""

from __future__ import annotations

from flask import Flask, Response, g
from flask_login import AnonymousUserMixin

from app.domain.error_catalogue.entries import CATALOGUE
from app.domain.errors import Sentence
from app.web.current import request_id
from app.web.http.errors import answer_browsers_with
from app.web.http.problems import code_of_status
from app.web.i18n import Wording
from app.web.screens.base import render, signed_in, wording_here

_PAGES = frozenset(
    {
        *("bad_request", "not_found", "method_not_allowed", "body_too_large", "too_many_failures"),
        *("internal_error", "unavailable", "database_unavailable"),
    }
)
"""Codes whose page has its own title and text; any other page shows the text of the error catalogue or of the error."""


def attach_error_pages(app: Flask, *, database_errors: tuple[type[Exception], ...]) -> None:
    """Answer browsers with error pages.

    `database_errors`: what the database raises when it is away; the web package does not know these exceptions itself.
    """

    def page(code: str, status: int, detail: Sentence | str) -> Response:
        _who_looks(status, database_errors)
        known = code if code in _PAGES else code_of_status(status)
        words = wording_here()
        title = words(f"errors.{known}.title") if known in _PAGES else words("errors.other.title")
        text = _text(words, code, detail)
        return render("error.html", status=status, title=title, text=text, request_id=request_id())

    answer_browsers_with(app, page)


def _text(words: Wording, code: str, detail: Sentence | str) -> str:
    if code in _PAGES:
        return words(f"errors.{code}.text")
    if code in CATALOGUE:
        return " ".join(filter(None, (words.message(code), words.remedy(code))))
    return words.tell(detail)


def _who_looks(status: int, database_errors: tuple[type[Exception], ...]) -> None:
    """Find out who is signed in, if the database tells; after a fault of ours (5xx) the database is not asked again."""
    if "_login_user" in g:
        return
    try:
        if status < 500:
            signed_in()
    except database_errors:
        pass
    if "_login_user" not in g:
        g._login_user = AnonymousUserMixin()
