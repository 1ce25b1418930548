"""After a setting was changed: is there anybody whose trouble it may end?"""

from __future__ import annotations

from app.domain.error_catalogue.blames import Setting
from app.domain.planning.healing import settings_changed
from app.domain.settings.connection_settings import Connection
from app.storage.unit_of_work import UnitOfWork


def look_after(uow: UnitOfWork, before: Connection, *also: Setting) -> None:
    """Ask for a comparison, which tries those again whose trouble blames what has changed. `before`: the connection as
    it was before this transaction; `also`: what has changed besides its settings. Where automatic sync is off nothing
    is done by itself."""
    after = uow.connections.get(before.id)
    if after is None or not after.automatic.directions:
        return
    changed = settings_changed(before, after) | frozenset(also)
    if changed and any(not changed.isdisjoint(each.blames.settings) for each in uow.healing.blamed(before.id)):
        uow.sweeps.ask(before.id)
