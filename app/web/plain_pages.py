"""How the pages that need no sign-in are made: one file each, with its own style sheet inside."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from flask import Response, make_response, render_template

from app.web.http.request_log import allow_style


def page(template: str, *, forms_to: str = "'none'", **shown: Any) -> Response:
    """A page whose only resource is its own style sheet.

    `forms_to`: where the page's form, and a redirect that answers the form, may lead (CSP form-action).
    """
    nonce = secrets.token_urlsafe(16)
    answer = make_response(render_template(template, nonce=nonce, **shown))
    answer.headers["Content-Security-Policy"] = allow_style(nonce, forms_to=forms_to)
    return answer


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
