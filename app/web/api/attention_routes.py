"""/api/v1/attention: everything that waits for a person, as the page 要対応 shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import fields

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.domain.error_catalogue.catalogue import Place
from app.use_cases.accounts.api_keys import Scope
from app.use_cases.queries.attention import Which, list_attention, see_attention
from app.use_cases.queries.attention_views import Attention, Entry, Kind
from app.use_cases.shared.views import Page
from app.web.api.operation import make_blueprint, operation
from app.web.api.request_schemas import Choice, PageSchema, PatternText, connection_field
from app.web.api.response_schemas import AnswerSchema
from app.web.current import current_context
from app.web.i18n import DEFAULT, Wording, wording

attention = make_blueprint("attention", description="要対応")


class AttentionListSchema(PageSchema):
    connection = connection_field()
    direction = Choice(Direction, code="invalid_direction", metadata={"description": "この向きで待っている従業員だけ"})
    cause = PatternText(
        r"[A-Za-z0-9_]{1,60}",
        code="invalid_text",
        example="E1",
        metadata={"description": "この原因(エラー一覧の番号か語)で待っている従業員だけ"},
    )


def _text(note: str = "", *, maybe: bool = False, of: str | None = None) -> fields.String:
    """`of`: where the text stands, if not under its own name."""
    described = {"description": note} if note else {}
    return fields.String(required=True, allow_none=maybe, attribute=of, dump_default=None, metadata=described)


def _words(tell: Callable[[Wording, str, Place], str]) -> fields.Function:
    """What the catalogue says of a code."""
    metadata = {"type": "string"}
    return fields.Function(
        lambda shown: tell(wording(DEFAULT), shown.code, shown.where), required=True, metadata=metadata
    )


def _count(note: str, *, maybe: bool = False) -> fields.Integer:
    return fields.Integer(required=True, allow_none=maybe, metadata={"description": note})


def _moment(note: str) -> fields.DateTime:
    return fields.DateTime(required=True, allow_none=True, metadata={"description": note})


class CauseSchema(AnswerSchema):
    code = _text("エラー一覧の番号か語")
    kind = _text("何が待っているか: " + ", ".join(Kind))
    direction = _text("同期の向き。従業員と実行のほかは null", maybe=True, of="where.direction")
    message = _words(Wording.message)
    cause = _words(Wording.why)
    remedy = _words(Wording.remedy)
    owner = _text("対応できる役割: " + ", ".join(Role))
    count = _count("この原因で待っている件数")
    since = _moment("いちばん古いものの時刻。分からなければ null")


class EntrySchema(AnswerSchema):
    id = _text("待っている間は変わらない名前")
    kind = _text("何が待っているか: " + ", ".join(Kind))
    connection = _text("接続キー。接続のことでなければ空")
    direction = _text("同期の向き。従業員と実行のほかは null", maybe=True, of="where.direction")
    code = _text("エラー一覧の番号か語")
    message = _words(Wording.message)
    owner = _text("対応できる役割: " + ", ".join(Role))
    since = _moment("いつから待っているか。分からなければ null")
    people = _count("関わる従業員の数")
    employee_number = _text("従業員でなければ空", of="number")
    smarthr_id = _text(maybe=True, of="ids.smarthr")
    freee_id = _text(maybe=True, of="ids.freee")
    item_keys = fields.List(
        fields.String(), required=True, attribute="items", metadata={"description": "原因に挙がっている項目"}
    )
    mended = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "後から直された項目(設定は setting:名前)。もう一度送れる"},
    )
    run = _text("結果のある実行、または決める実行", maybe=True)
    left_alone = fields.Boolean(required=True, metadata={"description": "自動同期の対象から外れている"})


class AttentionSchema(AnswerSchema):
    total = _count("対応が必要な件数")
    waived = _count("今回は見送った件数")
    all_in_line = fields.Boolean(
        required=True, metadata={"description": "待っているものがなく、全員を比べた結果がそれを示している"}
    )
    checked_at = _moment("全員を最後に比べた時刻")
    causes = fields.List(fields.Nested(CauseSchema), required=True)
    items = fields.List(fields.Nested(EntrySchema), required=True)
    next_after = _count("続きがなければ null", maybe=True)


@operation(
    attention,
    "GET",
    "/attention",
    scope=Scope.RUNS_READ,
    query=AttentionListSchema,
    answer=AttentionSchema,
    codes=("unknown_connection",),
)
def show_attention(query: dict[str, Any]) -> Any:
    """人の対応を待っているもの

    件数と原因は全体のもの、items はその1ページです。接続、実行、設置先のことは最初のページの先頭に、
    従業員は待ち始めた順に並びます。原因がなくなると、一覧から消えます。
    """
    ctx, connection = current_context(), query.get("connection")
    which = Which(connection=connection, code=query.get("cause"), direction=query.get("direction"))
    page = list_attention(ctx, which, after=query.get("after"), limit=query["limit"])
    return as_answer(see_attention(ctx, connection, of_each=0), page)


def as_answer(seen: Attention, page: Page[Entry]) -> dict[str, Any]:
    """What `AttentionSchema` shows, for the API and for `--json` on the command line."""
    return {
        "total": seen.total,
        "waived": seen.waived,
        "all_in_line": seen.all_in_line,
        "checked_at": seen.checked_at,
        "causes": seen.groups,
        "items": page.items,
        "next_after": page.next_after,
    }
