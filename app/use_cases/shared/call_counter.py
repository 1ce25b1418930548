"""How many vendor requests were sent on behalf of a run."""

from __future__ import annotations

from app.domain.ports import EmployeeGateway
from app.use_cases.context import Context


class counted:  # noqa: N801 - used as a statement: `with counted(…):`
    """Adds the vendor requests made inside the block to the run, also when the block fails."""

    def __init__(self, ctx: Context, run_id: int, *gateways: EmployeeGateway) -> None:
        self._ctx, self._run_id, self._gateways = ctx, run_id, gateways
        self._before = [gateway.calls for gateway in gateways]

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        before = zip(self._gateways, self._before, strict=True)
        with self._ctx.unit_of_work() as uow:
            uow.runs.add_calls(self._run_id, {gateway.system: gateway.calls - count for gateway, count in before})
