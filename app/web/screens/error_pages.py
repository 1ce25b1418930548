"""Errors as pages: whoever asks with a browser gets a page of ours in their language, programs a problem document.

A page must come also when nothing else does, so it asks the database for nothing it can do without.
"""

from __future__ import annotations

from flask import Flask, Response, g
from flask_login import AnonymousUserMixin

from app.domain.error_catalogue.catalogue import CATALOGUE
from app.domain.errors import Refused
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
"""Codes with a page of their own words; others say what they were told."""


def attach_error_pages(app: Flask, *, database_errors: tuple[type[Exception], ...]) -> None:
    """`database_errors`: what the database raises when it is away; the web package does not know its kinds."""

    def page(code: str, status: int, detail: str) -> Response:
        _who_looks(status, database_errors)
        known = code if code in _PAGES else code_of_status(status)
        words = wording_here()
        title = words(f"errors.{known}.title") if known in _PAGES else words("errors.other.title")
        text = _text(words, code, detail)
        return render("error.html", status=status, title=title, text=text, request_id=request_id())

    answer_browsers_with(app, page)


def _text(words: Wording, code: str, detail: str) -> str:
    if code in _PAGES:
        return words(f"errors.{code}.text")
    if code in CATALOGUE:
        return " ".join(filter(None, (words.message(code), words.remedy(code))))
    return words.refusal(Refused(code, detail))


def _who_looks(status: int, database_errors: tuple[type[Exception], ...]) -> None:
    """Somebody known, if the database tells; after a fault of ours it is not asked again."""
    if "_login_user" in g:
        return
    try:
        if status < 500:
            signed_in()
    except database_errors:
        pass
    if "_login_user" not in g:
        g._login_user = AnonymousUserMixin()
