"""How many vendor requests were sent on behalf of a run."""

from __future__ import annotations

from app.domain.ports import EmployeeGateway
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.item_ledger import ItemLedger


class counted:  # noqa: N801 - used as a statement: `with counted(…):`
    """Adds the vendor requests made inside the block to the run, also when the block fails: at once, or with the next
    commit of the job whose `ledger` is given."""

    def __init__(self, ctx: Context, run_id: int, *gateways: EmployeeGateway, ledger: ItemLedger | None = None) -> None:
        self._ctx, self._run_id, self._gateways, self._ledger = ctx, run_id, gateways, ledger
        self._before = [gateway.calls for gateway in gateways]

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        before = zip(self._gateways, self._before, strict=True)
        calls = {gateway.system: gateway.calls - count for gateway, count in before}

        def store(uow: UnitOfWork) -> None:
            uow.runs.add_calls(self._run_id, calls)

        if self._ledger is not None:
            self._ledger.seen(store)
            return
        with self._ctx.unit_of_work() as uow:
            store(uow)
