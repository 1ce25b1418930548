"""GET /: what this is, and where to go on."""

from __future__ import annotations

import secrets

from flask import Blueprint, Response, make_response, render_template

from app.web.request_log import allow_style

pages = Blueprint("pages", __name__)


@pages.get("/")
def start() -> Response:
    nonce = secrets.token_urlsafe(16)
    answer = make_response(render_template("start.html", nonce=nonce))
    answer.headers["Content-Security-Policy"] = allow_style(nonce)
    return answer
