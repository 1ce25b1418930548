"""What a form has sent after its session had ended. Nothing of it is stored: it goes back to the browser as a field of
the sign-in form, and is shown for a confirmation before it is sent again.

So no other site can have a form sent by this way: the page is shown only to a browser that says that our own page has
sent the form, the sign-in form has a token of its own, and a person presses the button.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from flask import current_app, request
from werkzeug.exceptions import HTTPException

from app.web.http.destinations import own_path

FIELD = "kept"
CSRF, PROOF = "csrf_token", "proof_password"
SECRETS = frozenset({"smarthr_token", "password", "again", "current", PROOF, CSRF})
"""Names of fields that are never kept: passwords and tokens. A test compares them with the password fields of pages."""
_NOT_ASKED_AGAIN = frozenset({PROOF, CSRF})
"""A sign-in is a proof itself, and the page has a token of its own."""
LONGEST = 300_000
"""How long a kept form may be on its way back here, as a field of another form (which may have 500,000 bytes). A longer
one is not kept."""


@dataclass(frozen=True)
class KeptForm:
    """`path`: where it was sent. `missing`: names of the secrets that it held. `back`: the page of the form."""

    path: str
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    missing: tuple[str, ...] = ()
    back: str = "/"

    def as_text(self) -> str:
        """For one hidden field."""
        return json.dumps([self.path, self.fields, self.missing, self.back], ensure_ascii=False)


def sent_here() -> KeptForm | None:
    """The form of this request; None for what is no form, or too long to be kept."""
    path = own_path(request.full_path.rstrip("?"))
    fields = tuple((name, value) for name, value in request.form.items(multi=True) if name not in SECRETS)
    if request.mimetype != "application/x-www-form-urlencoded" or path is None:
        return None
    missing = tuple(name for name in request.form if name in SECRETS - _NOT_ASKED_AGAIN)
    kept = KeptForm(path, fields, missing, _page_before())
    return kept if len(quote(kept.as_text())) <= LONGEST else None


def kept_in(text: str) -> KeptForm | None:
    """The form of such a hidden field; None for anything else."""
    try:
        path, fields, missing, back = json.loads(text)
        pairs = tuple((name, value) for name, value in fields)
        known = tuple(name for name in missing if name in SECRETS)
        good = all(isinstance(each, str) for pair in pairs for each in pair)
        own = own_path(path)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return KeptForm(own, pairs, known, own_path(back) or "/") if own and good else None


def is_from_our_page(base_url: str) -> bool:
    """Whether the browser says that a page of ours has sent this request. No other site's page can make it say so."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    ours = urlsplit(base_url)
    return request.headers.get("Origin") == f"{ours.scheme}://{ours.netloc}"


def _page_before() -> str:
    """The page that the form stood on, if it can be opened again; else the first page."""
    parts = urlsplit(request.referrer or "")
    path = own_path(parts.path + (f"?{parts.query}" if parts.query else ""))
    return path if path and parts.netloc == request.host and _opens(parts.path) else "/"


def _opens(path: str) -> bool:
    routes: Any = current_app.url_map.bind("")
    try:
        routes.match(path, method="GET")
    except HTTPException:
        return False
    return True
