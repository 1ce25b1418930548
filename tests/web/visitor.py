"""Somebody at a browser without scripts: signs in, opens pages, fills in the forms that stand on them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.domain.access.roles import Role
from app.use_cases.accounts.api_keys import add_user
from app.use_cases.accounts.sign_in import begin_session
from app.use_cases.context import Context
from tests.forms import token_in

PASSWORD = "an-invented-password"


@dataclass
class Form:
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    """What a browser would send as it stands, buttons left out."""
    buttons: list[tuple[str, str]] = field(default_factory=list)
    """(name, value) of its buttons."""


class Visitor:
    """`client`: of the application, with cookies of its own."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page: TestResponse | None = None

    def sign_in(self, login: str, password: str = PASSWORD) -> TestResponse:
        self.open("/sign-in")
        return self.send(login=login, password=password)

    def open(self, address: str, *, status: int = 200) -> str:
        """The page at the end of all redirects."""
        self.page = self.client.get(address, follow_redirects=True)
        assert self.page.status_code == status, (address, self.page.status_code, self.text[:2000])
        return self.text

    def send(self, action: str | None = None, *, press: tuple[str, str] | None = None, **changes: Any) -> TestResponse:
        """Fill in the form of this page (the only one, or that which leads to `action`) and follow where it leads.
        A value None leaves a field out, a list sends it several times. `press`: the button, as (name, value)."""
        form = self.form(action)
        kept = [(name, value) for name, value in form.fields if name not in changes]
        given = [(name, v) for name, value in changes.items() for v in (value if isinstance(value, list) else [value])]
        sent: dict[str, list[str]] = {}
        for name, value in [*kept, *given, *([press] if press else [])]:
            if value is not None:
                sent.setdefault(name, []).append(value)
        here = self.page.request.path if self.page is not None else "/"
        arguments: dict[str, Any] = {"data": sent} if form.method == "post" else {"query_string": sent}
        self.page = self.client.open(
            form.action or here, method=form.method.upper(), follow_redirects=True, **arguments
        )
        return self.page

    def form(self, action: str | None = None) -> Form:
        found = [form for form in forms(self.text) if action is None or form.action.endswith(action)]
        if action is None:
            found = [form for form in found if form.action not in ("/sign-out", "/language")]
        assert found, (action, [form.action for form in forms(self.text)])
        return found[0]

    @property
    def token(self) -> str:
        """What this page's forms send as proof that they are ours."""
        return token_in(self.text)

    @property
    def text(self) -> str:
        assert self.page is not None
        return self.page.get_data(as_text=True)

    @property
    def words(self) -> str:
        """The text a person reads: without tags, white space folded."""
        body = re.sub(r"(?s)<(script|style|head)\b.*?</\1>", " ", self.text)
        return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def visitor(ctx: Context, client: FlaskClient, role: Role, *, login: str | None = None) -> Visitor:
    """A new user of that role, signed in."""
    name = login or f"{role.value}@example.invalid"
    add_user(ctx, name, PASSWORD, role=role.value)
    made = Visitor(client)
    answer = made.sign_in(name)
    assert answer.status_code == 200, made.text
    return made


def forms(html: str) -> list[Form]:
    reader = _Forms()
    reader.feed(html)
    return reader.forms


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select: str | None = None
        self._first: str | None = None
        self._text: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
        if self._form is None:
            return
        name = given.get("name", "")
        if tag == "input" and name and given.get("type", "text") not in ("submit", "button"):
            if given.get("type") not in ("checkbox", "radio"):
                self._form.fields.append((name, given.get("value", "")))
            elif "checked" in given:
                self._form.fields.append((name, given.get("value", "on")))
        elif tag == "button" and name:
            self._form.buttons.append((name, given.get("value", "")))
        elif tag == "select":
            self._select, self._first = name, None
        elif tag == "option" and self._select:
            if "selected" in given or self._first is None:
                self._first = given.get("value", "")
                if "selected" in given:
                    self._form.fields.append((self._select, self._first))
                    self._select = None
        elif tag == "textarea":
            self._text, self._first = name, ""

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._first = (self._first or "") + data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select" and self._select and self._form:
            self._form.fields.append((self._select, self._first or ""))
            self._select = None
        elif tag == "textarea" and self._text is not None and self._form:
            self._form.fields.append((self._text, self._first or ""))
            self._text = None


def arrived(ctx: Context, client: FlaskClient, role: Role, *, login: str = "somebody@example.invalid") -> Visitor:
    """As `visitor`, signed in without a password, which takes long to hash; the same person again for a known login."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        user = uow.users.by_login(login) or uow.users.add(login=login, password_hash="-", role=str(role), now=now)
        token = begin_session(uow, user.id, now=now)
    with client.session_transaction() as session:
        session["_user_id"] = token
    return Visitor(client)
