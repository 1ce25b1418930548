"""What waits for a second person: the list, and the emergency way of one administrator."""

from __future__ import annotations

from flask import flash, redirect, request
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.access.roles import Permission
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.intake.second_person import Alone
from app.use_cases.queries.decisions import decisions as waiting_decisions
from app.web.current import current_context
from app.web.screens.base import me, needs, render, screens, wording_here


@screens.get("/decisions")
@needs(Permission.SEE_PEOPLE)
def decisions() -> Response:
    return render("decisions/list.html", waiting=waiting_decisions(current_context(), by=me().actor))


@screens.post("/runs/<public_id:run_id>/alone")
@needs(Permission.DECIDE_ALONE)
def approve_alone(run_id: str) -> Response:
    who = me()
    alone = Alone(administrator=who.user_id, reason=request.form.get("reason", ""))
    approve_retry_cancel.approve(
        current_context(), run_id, by=who.actor, acknowledged=True, shown=request.form.get("shown") or None, alone=alone
    )
    flash(wording_here()("decisions.approved_alone"), "good")
    return redirect(url("screens.run", run_id=run_id), code=303)
