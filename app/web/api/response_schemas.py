"""What our own API answers: the schemas behind the OpenAPI document and the JSON."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, fields, validate

from app.domain.enums import Direction, System, Trigger
from app.domain.planning.beginning import BeginReason
from app.domain.planning.mass_change import MassChangeCode
from app.domain.planning.plan import PlanKind
from app.domain.runs.kinds import RunKind
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.domain.settings.two_persons import TwoPersons
from app.use_cases.shared.views import DeliveryState, WebhookState


class AnswerSchema(Schema):
    """Answers may grow: a client has to skip a field it does not know."""

    class Meta:
        unknown = INCLUDE


def _text(note: str = "", **kwargs: Any) -> fields.String:
    return fields.String(required=True, metadata={"description": note} if note else {}, **kwargs)


def _word(words: Any, note: str = "") -> fields.String:
    return _text(note, validate=validate.OneOf([str(w) for w in words]))


def _maybe(note: str = "") -> fields.String:
    return _text(note, allow_none=True)


def _number(note: str = "", *, maybe: bool = False) -> fields.Float:
    return fields.Float(required=True, allow_none=maybe, metadata={"description": note} if note else {})


def _count(note: str = "", *, maybe: bool = False) -> fields.Integer:
    return fields.Integer(required=True, allow_none=maybe, metadata={"description": note} if note else {})


def _instant(*, maybe: bool = False) -> fields.DateTime:
    return fields.DateTime(required=True, allow_none=maybe)


def _counts(note: str) -> fields.Dict:
    return fields.Dict(keys=fields.String(), values=fields.Integer(), required=True, metadata={"description": note})


def _list_of(schema: type[Schema]) -> fields.List[Any]:
    return fields.List(fields.Nested(schema), required=True)


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


class ProgressSchema(AnswerSchema):
    done = _count()
    total = _count("確認が終わるまで null", maybe=True)
    rate = _number("1秒あたりの完了数(直近1分)", maybe=True)
    eta_seconds = _number("終了までの見込み秒数", maybe=True)


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


class RunSchema(AnswerSchema):
    id = _text()
    connection = _text()
    direction = _word(Direction)
    trigger = _word(Trigger)
    as_of_date = fields.Date(required=True)
    dry_run = fields.Boolean(required=True)
    state = _word(RunState)
    state_label = _text()
    counts = _counts("従業員ごとの結果の状態 → 人数。承認した実行では、選んだ従業員だけを数える")
    looked_at = _counts("承認した実行で、見ただけの従業員の状態 → 人数。waiting は選ばなかった人。ほかの実行では 0")
    kind = _word(RunKind)
    progress = fields.Nested(ProgressSchema, required=True)
    vendor_calls = fields.Nested(VendorCallsSchema, required=True)
    created_at = _instant()
    started_at = _instant(maybe=True)
    finished_at = _instant(maybe=True)
    error_code = _maybe()
    error_message = _maybe()
    error_remedy = _maybe()
    error_who = _maybe("だれが対応するか: hr, rights, admin, ops, system")
    error_who_label = _maybe()
    retried_run = _maybe("もとの実行(もう一度のとき)")
    mail_state = _maybe("結果メール: pending, sending, sent, failed, skipped。まだなければ null")
    missed = _count("Webhook の通知がないまま変わっていた従業員の数(最大1000)")
    undone_run = _maybe("元に戻した実行(元に戻す実行のとき)")
    decide_until = _instant(maybe=True)
    only_target_changed = _count("変更なしのうち、反映先だけが変わっている従業員の数(終わった実行)")
    left_out = fields.List(
        fields.Nested(LeftOutSchema),
        required=True,
        metadata={"description": "対象外にした理由と人数(実行の一覧では空)"},
    )
    alarms = fields.List(
        fields.Nested(AlarmSchema),
        required=True,
        metadata={"description": "1日に書き込む人数の上限を超え、書き込む前に止めた変更があるときの理由"},
    )
    surveyed_at = _instant(maybe=True)
    held_run = _maybe("止めた変更を承認または取り下げる実行。なければ null")


class StartedRunSchema(RunSchema):
    already = fields.Boolean(
        required=True, metadata={"description": "すでにあった実行を返したとき true。新しい実行は始めていない"}
    )


class RunPageSchema(AnswerSchema):
    items = _list_of(RunSchema)
    next_after = _count("続きがなければ null", maybe=True)


class ChangeSchema(AnswerSchema):
    key = _text()
    label = _text()
    before = _maybe("personal:read がなければ伏せ字。空欄は null")
    after = _maybe("personal:read がなければ伏せ字。空欄は null")
    retroactive = fields.Boolean(required=True, metadata={"description": "過去の月にもさかのぼって変わる項目"})
    state = _word(("planned", "written", "held"))
    ticked = fields.Boolean(required=True, metadata={"description": "held の項目を書き換えると人が決めたかどうか"})
    same = fields.Boolean(
        required=True,
        metadata={"description": "反映先がすでに同じ値を持ち、一緒に書き込むだけの項目かどうか（伏せる前に比べる）"},
    )


class NoteSchema(AnswerSchema):
    code = _text()
    key = _maybe()
    severity = _text()
    message = _text()
    remedy = _maybe()


class StepSchema(AnswerSchema):
    step = _text()
    label = _text()
    attempt = _count()
    state = _word(("sending", "done", "failed", "unknown"))
    error_code = _maybe()
    at = _instant()


class AnswerOfVendorSchema(AnswerSchema):
    system = _maybe("smarthr, freee。分からなければ null")
    step = _maybe("断られた書き込みの手順。読み取りなら null")
    step_label = _maybe()
    message = _maybe("製品が返した文。personal:read がなければ null。口座・番号・金額などは常に伏せ字")
    items = fields.List(fields.String(), required=True, metadata={"description": "返答が指している項目"})
    labels = fields.List(fields.String(), required=True)


class ItemSchema(AnswerSchema):
    id = _count()
    employee_number = _text()
    state = _word(ItemState)
    state_label = _text()
    kind = _word(PlanKind)
    counted = fields.Boolean(
        required=True, metadata={"description": "承認した実行で、選ばれずに見ただけの従業員は false"}
    )
    closing_month = _maybe("freee の締め月 YYYY-MM")
    pay_month = _maybe("反映される支払月 YYYY-MM")
    attempts = _count()
    error_code = _maybe()
    message = _maybe()
    cause = _maybe()
    remedy = _maybe()
    who = _maybe("だれが対応するか: hr, rights, admin, ops, system")
    who_label = _maybe()
    answers = _list_of(AnswerOfVendorSchema)
    changes = _list_of(ChangeSchema)
    notes = _list_of(NoteSchema)
    steps = _list_of(StepSchema)
    candidates = fields.List(
        fields.Dict(keys=fields.String(), values=fields.String()),
        required=True,
        metadata={"description": "紐付けを人が選ぶときの候補"},
    )


class ItemPageSchema(AnswerSchema):
    items = _list_of(ItemSchema)
    next_after = _count("続きがなければ null", maybe=True)


class OfferedEmployeeSchema(AnswerSchema):
    employee_number = _text()
    source_id = _text()
    hired_on = fields.Date(required=True, allow_none=True)
    resigned_on = fields.Date(required=True, allow_none=True)
    linked = fields.Boolean(required=True)
    warning = _maybe("エラー一覧の番号か語")


class OfferedSchema(AnswerSchema):
    items = _list_of(OfferedEmployeeSchema)


class BeginningSchema(AnswerSchema):
    direction = _word(Direction)
    reason = _word(BeginReason, "設定の何が変わったか")
    since = _instant()
    run = _maybe("確認待ちの実行。まだなければ null")
    gathered = _count("通知が届き、承認を待っている従業員の数")


class ConnectionSchema(AnswerSchema):
    key = _text()
    name = _text()
    smarthr_subdomain = _text()
    freee_company_id = _count()
    state = _word(("active", "paused", "needs_consent"))
    export_settings_complete = fields.Boolean(required=True)
    smarthr_closed_for = _number("制限で止まっている残り秒数")
    freee_closed_for = _number("制限で止まっている残り秒数")
    smarthr_silent_for = _number("応答がないため間をおいている残り秒数")
    freee_silent_for = _number("応答がないため間をおいている残り秒数")
    two_persons = _word(tuple(TwoPersons), "2人での確認が要る変更")
    beginnings = _list_of(BeginningSchema)


class ConnectionsSchema(AnswerSchema):
    items = _list_of(ConnectionSchema)


class QueueDepthSchema(AnswerSchema):
    queue = _text()
    waiting = _count()
    running = _count()
    failed = _count()
    oldest_age = _number("最も古い待ちの秒数", maybe=True)
    workers = _count()


class IntakeSchema(AnswerSchema):
    id = _count("/metrics での番号")
    key = _text()
    automatic = _word(Automatic)
    last_smarthr_webhook = _instant(maybe=True)
    last_freee_webhook = _instant(maybe=True)
    webhook_state = _word(WebhookState, "SmartHR の Webhook の登録")
    webhook_disabled_at = _instant(maybe=True)
    webhook_checked_at = _instant(maybe=True)
    sweep_done_at = _instant(maybe=True)
    quarantined = _count("自動の同期を止めている従業員の数")


class ClockSchema(AnswerSchema):
    process = _text("プロセス@ホスト:番号")
    skew_seconds = _number("ホストの時計が、データベースの時計より進んでいる秒数。遅れていれば負")
    skewed = fields.Boolean(required=True, metadata={"description": "ずれが大きく、定期処理を担わない"})


class QueueSchema(AnswerSchema):
    queues = _list_of(QueueDepthSchema)
    broker_reachable = fields.Boolean(required=True)
    outbox_waiting = _count()
    outbox_oldest_age = _number(maybe=True)
    items = _counts("終わっていない実行の、状態 → 人数")
    runs_open = _count()
    runs_gathering = _count("そのうち、通知を集めている実行")
    mails_waiting = _count()
    connections = _list_of(ConnectionSchema)
    deliveries_last_hour = _counts("直近1時間に届いた Webhook の、扱い → 件数")
    intake = _list_of(IntakeSchema)
    clocks = _list_of(ClockSchema)


class DeliveryItemSchema(AnswerSchema):
    id = _count()
    run = _text("実行の id")
    state = _word(ItemState)
    state_label = _text()


class DeliverySchema(AnswerSchema):
    id = _count()
    system = _word(System)
    connection = _maybe("どの接続のものか分からなければ null")
    event = _text("送り手の言葉")
    state = _word(DeliveryState)
    people_count = _count()
    received_at = _instant()
    triggered_at = _instant(maybe=True)
    replayed_at = _instant(maybe=True)
    replays = _count()
    results = _counts("従業員ごとの結果の状態 → 人数")


class DeliveryDetailSchema(DeliverySchema):
    people = fields.List(fields.String(), required=True, metadata={"description": "送り手の従業員 ID"})
    items = _list_of(DeliveryItemSchema)


class DeliveryPageSchema(AnswerSchema):
    items = _list_of(DeliverySchema)
    next_after = _count("続きがなければ null", maybe=True)


class ReplaySchema(AnswerSchema):
    replayed = _count("やり直す通知の数")
    people = _count("読み直す従業員の数")
    skipped = _count("いまの設定では従業員がいない通知の数")
    next_after = _count("limit に達したとき、残りのために after に指定する値", maybe=True)
