"""What our own API answers: the schemas behind the OpenAPI document and the JSON.

Most of them are made from the view that they show (`shows`): name, type and whether a value may be missing stand there
already, and are said here only where the answer differs. What a reader of the document has to know besides is the text
beside a field's name.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

from marshmallow import INCLUDE, Schema, fields, validate

from app.domain.planning.mass_change import MassChangeCode
from app.domain.planning.plan import PlanKind
from app.domain.ports import QueueDepth
from app.use_cases.shared import views

_PLAIN: Mapping[Any, type[fields.Field[Any]]] = {
    str: fields.String,
    int: fields.Integer,
    float: fields.Float,
    bool: fields.Boolean,
    date: fields.Date,
    datetime: fields.DateTime,
}
_SHOWN: dict[Any, type[Schema]] = {}
"""View → its schema, for the views that stand in others."""


class AnswerSchema(Schema):
    """Answers may grow: a client has to skip a field it does not know."""

    class Meta:
        unknown = INCLUDE


def shows(view: type, name: str, /, *, without: tuple[str, ...] = (), **said: str | fields.Field[Any]) -> type[Schema]:
    """The schema of a view. `said`: what the document says of a field, or the field itself where the view has none
    such; `without`: fields of the view that the answer does not hold. What a view hides from its repr is in one of the
    two, so that nothing personal gets into an answer unnoticed."""
    hidden = {each.name for each in dataclasses.fields(view) if not each.repr}
    if unsaid := hidden.difference(said, without):
        raise TypeError(f"{name}: {', '.join(sorted(unsaid))}")
    found: dict[str, fields.Field[Any]] = {}
    for each, kind in get_type_hints(view).items():
        note = said.pop(each, "")
        if each not in without:
            found[each] = _field(kind, note) if isinstance(note, str) else note
    found |= {each: field for each, field in said.items() if isinstance(field, fields.Field)}
    _SHOWN[view] = AnswerSchema.from_dict(dict(found), name=f"{name}Schema")
    return _SHOWN[view]


def _field(kind: Any, note: str, *, maybe: bool = False) -> fields.Field[Any]:
    options: dict[str, Any] = {"required": True, "allow_none": maybe}
    options["metadata"] = {"description": note} if note else {}
    if get_origin(kind) is types.UnionType:
        return _field(next(each for each in get_args(kind) if each is not types.NoneType), note, maybe=True)
    if get_origin(kind) is tuple:
        return fields.List(_one(get_args(kind)[0]), **options)
    if get_origin(kind) is Mapping:
        return fields.Dict(keys=fields.String(), values=fields.Integer(), **options)
    if dataclasses.is_dataclass(kind):
        return fields.Nested(_SHOWN[kind], **options)
    if issubclass(kind, StrEnum):
        return fields.String(**options) if maybe else _word(kind, note)
    return _PLAIN[kind](**options)


def _one(kind: Any) -> Any:
    """What stands in a list."""
    return fields.Nested(_SHOWN[kind]) if dataclasses.is_dataclass(kind) else _PLAIN[kind]()


def _and(schema: type[Schema], name: str, **more: fields.Field[Any]) -> type[Schema]:
    return schema.from_dict(dict(more), name=f"{name}Schema")


def _page_of(schema: type[Schema], name: str) -> type[Schema]:
    page = {"items": _list_of(schema), "next_after": _count("続きがなければ null", maybe=True)}
    return AnswerSchema.from_dict(dict(page), name=f"{name}Schema")


def _text(note: str = "") -> fields.Field[Any]:
    return _field(str, note)


def _word(words: Any, note: str = "") -> fields.String:
    metadata = {"description": note} if note else {}
    return fields.String(required=True, metadata=metadata, validate=validate.OneOf([str(word) for word in words]))


def _maybe(note: str = "") -> fields.Field[Any]:
    return _field(str, note, maybe=True)


def _count(note: str = "", *, maybe: bool = False) -> fields.Field[Any]:
    return _field(int, note, maybe=maybe)


def _counts(note: str) -> fields.Field[Any]:
    return _field(Mapping[str, int], note)


def _list_of(schema: type[Schema], note: str = "") -> fields.List[Any]:
    return fields.List(fields.Nested(schema), required=True, metadata={"description": note} if note else {})


class ProblemSchema(AnswerSchema):
    type = fields.Url(required=True, require_tld=False, metadata={"description": "説明のアドレス"})
    title = _text()
    status = _count()
    detail = _text("何が起き、どうすればよいか")
    code = _text("変わらない名前。プログラムはこれで判断する")
    request_id = _text()
    fields_ = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        data_key="fields",
        metadata={"description": "誤りのある項目 → 説明"},
    )


shows(
    views.ProgressView,
    "Progress",
    total="確認が終わるまで null",
    rate="1秒あたりの完了数(直近1分)",
    eta_seconds="終了までの見込み秒数",
)


class VendorCallsSchema(AnswerSchema):
    smarthr = _count()
    freee = _count()


class AlarmSchema(AnswerSchema):
    code = _word(MassChangeCode)
    count = _count("対象の人数")
    limit = _count("確認なしに書き込む1日の人数の上限")
    written = _count("うち、この24時間に確認なしで書き込んだ人数")


class LeftOutSchema(AnswerSchema):
    code = _text("エラー一覧の番号か語")
    message = _text()
    people = _count("対象外にした従業員の数")


RunSchema = shows(
    views.RunView,
    "Run",
    without=("already",),
    state_label=_text(),
    counts="従業員ごとの結果の状態 → 人数。承認した実行では、選んだ従業員だけを数える",
    looked_at="承認した実行で、見ただけの従業員の状態 → 人数。waiting は選ばなかった人。ほかの実行では 0",
    vendor_calls=fields.Nested(VendorCallsSchema, required=True),
    error_remedy="",
    error_who="だれが対応するか: hr, rights, admin, ops, system",
    error_who_label=_maybe(),
    retried_run="もとの実行(もう一度のとき)",
    mail_state="結果メール: pending, sending, sent, failed, skipped。まだなければ null",
    missed="Webhook の通知がないまま変わっていた従業員の数(最大1000)",
    undone_run="元に戻した実行(元に戻す実行のとき)",
    only_target_changed="変更なしのうち、反映先だけが変わっている従業員の数(終わった実行)",
    left_out=_list_of(LeftOutSchema, "対象外にした理由と人数(実行の一覧では空)"),
    alarms=_list_of(AlarmSchema, "1日に書き込む人数の上限を超え、書き込む前に止めた変更があるときの理由"),
    held_run="止めた変更を承認または取り下げる実行。なければ null",
    mended_people="直されたので、自動でもう一度同期した従業員の数(実行の一覧では 0)",
    mended="その従業員の直された項目(設定は setting:名前)。実行の一覧では空",
)
StartedRunSchema = _and(
    RunSchema, "StartedRun", already=_field(bool, "すでにあった実行を返したとき true。新しい実行は始めていない")
)
RunPageSchema = _page_of(RunSchema, "RunPage")
shows(
    views.ChangeView,
    "Change",
    before="personal:read がなければ伏せ字。空欄は null",
    after="personal:read がなければ伏せ字。空欄は null",
    retroactive="過去の月にもさかのぼって変わる項目",
    state=_word(("planned", "written", "held")),
    ticked="held の項目を書き換えると人が決めたかどうか",
    same="反映先がすでに同じ値を持ち、一緒に書き込むだけの項目かどうか（伏せる前に比べる）",
)
shows(views.NoteView, "Note")
shows(views.StepView, "Step", state=_word(("sending", "done", "failed", "unknown")))
shows(
    views.AnswerView,
    "AnswerOfVendor",
    system="smarthr, freee。分からなければ null",
    step="断られた書き込みの手順。読み取りなら null",
    step_label="",
    message="製品が返した文。personal:read がなければ null。口座・番号・金額などは常に伏せ字",
    items="返答が指している項目",
    labels="",
)
ItemSchema = shows(
    views.ItemView,
    "Item",
    without=("catalogue_message",),
    state_label=_text(),
    kind=_word(PlanKind),
    counted="承認した実行で、選ばれずに見ただけの従業員は false",
    closing_month="freee の締め月 YYYY-MM",
    pay_month="反映される支払月 YYYY-MM",
    who="だれが対応するか: hr, rights, admin, ops, system",
    who_label=_maybe(),
    answers="",
    changes="",
    candidates=fields.List(
        fields.Dict(keys=fields.String(), values=fields.String()),
        required=True,
        metadata={"description": "紐付けを人が選ぶときの候補"},
    ),
)
ItemPageSchema = _page_of(ItemSchema, "ItemPage")
shows(views.OfferedEmployee, "OfferedEmployee", warning="エラー一覧の番号か語")


class OfferedSchema(AnswerSchema):
    items = _list_of(_SHOWN[views.OfferedEmployee])


shows(
    views.BeginningView,
    "Beginning",
    reason="設定の何が変わったか",
    run="確認待ちの実行。まだなければ null",
    gathered="通知が届き、承認を待っている従業員の数",
)
ConnectionSchema = shows(
    views.ConnectionView,
    "Connection",
    without=("doubled",),
    state=_word(("active", "paused", "needs_consent")),
    smarthr_closed_for="制限で止まっている残り秒数",
    freee_closed_for="制限で止まっている残り秒数",
    smarthr_silent_for="応答がないため間をおいている残り秒数",
    freee_silent_for="応答がないため間をおいている残り秒数",
    two_persons="2人での確認が要る変更",
)


class ConnectionsSchema(AnswerSchema):
    items = _list_of(ConnectionSchema)


shows(QueueDepth, "QueueDepth", oldest_age="最も古い待ちの秒数")
shows(
    views.IntakeView,
    "Intake",
    id="/metrics での番号",
    webhook_state="SmartHR の Webhook の登録",
    quarantined="自動の同期を止めている従業員の数",
)
shows(
    views.ClockView,
    "Clock",
    process="プロセス@ホスト:番号",
    skew_seconds="ホストの時計が、データベースの時計より進んでいる秒数。遅れていれば負",
    skewed="ずれが大きく、定期処理を担わない",
)
QueueSchema = shows(
    views.QueueView,
    "Queue",
    items="終わっていない実行の、状態 → 人数",
    runs_gathering="そのうち、通知を集めている実行",
    deliveries_last_hour="直近1時間に届いた Webhook の、扱い → 件数",
)
shows(
    views.DeliveryItemView,
    "DeliveryItem",
    run="実行の id",
    state_label=fields.String(required=True, attribute="state.label"),
)
DeliverySchema = shows(
    views.DeliveryView,
    "Delivery",
    without=("people", "items"),
    connection="どの接続のものか分からなければ null",
    event="送り手の言葉",
    people_count=_count(),
    results=_counts("従業員ごとの結果の状態 → 人数"),
)
DeliveryDetailSchema = _and(
    DeliverySchema,
    "DeliveryDetail",
    people=_field(tuple[str, ...], "送り手の従業員 ID"),
    items=_list_of(_SHOWN[views.DeliveryItemView]),
)
DeliveryPageSchema = _page_of(DeliverySchema, "DeliveryPage")
ReplaySchema = shows(
    views.ReplayView,
    "Replay",
    replayed="やり直す通知の数",
    people="読み直す従業員の数",
    skipped="いまの設定では従業員がいない通知の数",
    next_after="limit に達したとき、残りのために after に指定する値",
)
