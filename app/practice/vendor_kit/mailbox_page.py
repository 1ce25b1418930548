"""The mailbox as a person reads it: the list of what has arrived, and one mail with its text beside its HTML.

The HTML stands in a frame without any right: no scripts, no forms, no address of its own, and nothing is loaded from
anywhere, as a careful mail program does it. Links open elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import EmailMessage, MIMEPart

from flask import Blueprint, Response, abort, render_template_string

Messages = Callable[[], Iterable[tuple[str, EmailMessage]]]
"""What has arrived, oldest first: (name of its file, message)."""
_RIGHTS = "allow-popups allow-popups-to-escape-sandbox"
"""Of the frame: a click may open a page elsewhere, nothing more."""
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; frame-ancestors 'none'"
_MAIL_POLICY = f"sandbox {_RIGHTS}; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"


@dataclass(frozen=True)
class Shown:
    name: str
    subject: str
    to: str
    date: str
    text: str
    html: str


def mailbox_routes(messages: Messages) -> Blueprint:
    """GET / lists the mails, the newest first; /mails/<name> shows one, /mails/<name>/html its HTML alone."""
    routes = Blueprint("practice_mailbox_page", __name__)

    def one(name: str) -> Shown:
        found = next((message for each, message in messages() if each == name), None)
        if found is None:
            abort(404)
        return _shown(name, found)

    @routes.get("/")
    def mails() -> Response:
        found = [_shown(name, message) for name, message in messages()]
        return _page(render_template_string(_LIST, mails=found[::-1]), _PAGE_POLICY)

    @routes.get("/mails/<name>")
    def mail(name: str) -> Response:
        return _page(render_template_string(_MAIL, mail=one(name), rights=_RIGHTS), _PAGE_POLICY)

    @routes.get("/mails/<name>/html")
    def html(name: str) -> Response:
        return _page(_opening_elsewhere(one(name).html or abort(404)), _MAIL_POLICY)

    return routes


def _opening_elsewhere(html: str) -> str:
    """The mail with links that leave its frame."""
    return html.replace("<head>", '<head><base target="_blank">', 1)


def _page(content: str, policy: str) -> Response:
    answer = Response(content)
    answer.headers["Content-Security-Policy"] = policy
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _shown(name: str, message: EmailMessage) -> Shown:
    return Shown(
        name=name,
        subject=_read(message, "Subject"),
        to=_read(message, "To"),
        date=_read(message, "Date"),
        text=_content(message.get_body(("plain",))),
        html=_content(message.get_body(("html",))),
    )


def _read(message: EmailMessage, name: str) -> str:
    return str(make_header(decode_header(str(message[name] or ""))))


def _content(part: MIMEPart | None) -> str:
    return str(part.get_content()) if part is not None else ""


_HEAD = """<!doctype html>
<html lang="ja">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{% block title %}{% endblock %}</title>
<style>
:root { color-scheme: light dark; }
body { margin: 0; padding: 16px; font: 16px/1.6 sans-serif; background: #f6f8fa; color: #1f2328;
  overflow-wrap: anywhere; }
main { max-width: 1280px; margin: 0 auto; }
h1 { font-size: 20px; line-height: 1.5; margin: 8px 0; }
h2 { font-size: 16px; margin: 8px 0; }
a { color: #0550ae; }
.soft { color: #57606a; }
.mail, pre, iframe { background: #ffffff; border: 1px solid #d0d7de; border-radius: 8px; }
.mail { display: block; padding: 12px; margin: 8px 0; }
.parts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 16px; }
pre, iframe { box-sizing: border-box; width: 100%; margin: 0; }
pre { padding: 16px; white-space: pre-wrap; font: inherit; }
iframe { height: 80vh; }
@media (prefers-color-scheme: dark) {
  body { background: #0d1117; color: #e6e8ea; }
  a { color: #8ab8ff; }
  .soft { color: #adb5bd; }
  .mail, pre, iframe { background: #16181b; border-color: #3d444d; }
}
</style>
</head>
<body>
<main>
"""
_END = "</main>\n</body>\n</html>\n"
_LIST = (
    _HEAD.replace("{% block title %}{% endblock %}", "練習用のメールボックス")
    + """<h1>練習用のメールボックス</h1>
<p class="soft">Awase が送ったメールです。外には届きません。</p>
{% for each in mails %}<p class="mail"><a href="/mails/{{ each.name }}">{{ each.subject or "（件名なし）" }}</a><br>
<span class="soft">{{ each.to }} · {{ each.date }}</span></p>
{% else %}<p>まだ届いていません。</p>
{% endfor %}"""
    + _END
)
_MAIL = (
    _HEAD.replace("{% block title %}{% endblock %}", "{{ mail.subject }}")
    + """<p><a href="/">← 一覧</a></p>
<h1>{{ mail.subject or "（件名なし）" }}</h1>
<p class="soft">{{ mail.to }} · {{ mail.date }}</p>
<div class="parts">
<section><h2>テキスト</h2><pre>{{ mail.text }}</pre></section>
{% if mail.html %}<section><h2>HTML</h2>
<iframe sandbox="{{ rights }}" src="/mails/{{ mail.name }}/html" title="HTML のメール"></iframe></section>{% endif %}
</div>"""
    + _END
)
