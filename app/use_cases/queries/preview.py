"""A preview as users see it: the people in it, what would change, and how far its survey has read.

The database counts the people, searches and cuts the page. Names and values are decrypted only for the people whom the
page shows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from app.domain.enums import Direction, System, Trigger
from app.domain.mapping import BY_KEY
from app.domain.planning.plan import PlanKind
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Connection
from app.domain.settings.recipients import Language
from app.storage.links.finding import Sought
from app.storage.repository import as_row
from app.storage.runs.preview_selection import Asked, Tally, within
from app.storage.runs.rows import ItemRow, RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.planning.mass_change import mass_change_in
from app.use_cases.planning.stop_changes import alarms_of_held
from app.use_cases.queries.item_views import item_view
from app.use_cases.queries.person_tables import OrderBy, PersonOrder, TableCut, TableLook, cut_table, is_by_name
from app.use_cases.queries.preview_views import (
    GROUPS,
    WRITABLE,
    Group,
    PeoplePage,
    PersonView,
    PlannedPerson,
    PlanPage,
    Preview,
    Reading,
    group_of,
)
from app.use_cases.shared.name_search import sought
from app.use_cases.shared.run_lookup import find_run

PAGE = 50
PLANS = 20
"""How many people one plan page shows: each brings up to all items, and every value is decrypted by itself."""
_VENDOR_PAGE = 100
_AS_LISTED = PersonOrder(OrderBy.PLACE)

# ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────


def see_preview(ctx: Context, run_id: str) -> Preview:
    """One preview. Raises Refused("run_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        return preview_of(uow, find_run(uow, run_id))


def previews_waiting(ctx: Context, connection: Connection, direction: Direction) -> list[Preview]:
    """Previews of this direction that no person has approved or cancelled yet, the newest first."""
    with ctx.unit_of_work().reading() as uow:
        runs = [run for run in uow.preview_selection.open_runs(connection.id) if run.direction is direction]
        return [preview_of(uow, run, connection) for run in runs if run.state is RunState.PREVIEWED]


def see_reading(ctx: Context, run_id: str) -> tuple[Preview, tuple[Reading, ...]]:
    """A preview whose survey is under way, and how far the survey has read each system. Raises
    Refused("run_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, run_id)
        read = uow.preview_selection.pages_read(run.id)
        sides = (run.direction.source, run.direction.target)
        expected = {system: uow.directory.size(run.connection_id, system) for system in sides}
        preview = preview_of(uow, run)
    readings = []
    for system in sides:
        pages, complete = read.get(system, (0, False))
        people = pages * _VENDOR_PAGE
        if expected[system] and (complete or people > expected[system]):
            people = expected[system]
        readings.append(Reading(system, people, expected[system], complete))
    return preview, tuple(readings)


def see_people(
    ctx: Context,
    run_id: str,
    *,
    groups: Collection[Group] = GROUPS,
    search: str = "",
    page: int = 1,
) -> PeoplePage:
    """One page of a preview's people, in the order of the run, counted from 1. Raises Refused("run_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        run, wanted = find_run(uow, run_id), sought(search, ctx.keys.signing)
        everybody = uow.preview_selection.tally(Asked(run))
        if wanted is None:
            found = everybody
            total = sum(each.people for each in found if group_of(each.state, each.kind) in groups)
            asked = asked_in(run, groups, None)
            rows = uow.preview_selection.listed(asked, _AS_LISTED, page=page, size=PAGE, everybody=total).rows
        else:
            people = uow.preview_selection.outline(Asked(run, sought=wanted))
            found = [Tally(each.state, each.kind, each.chosen, 1) for each in people]
            listed = [each.id for each in people if group_of(each.state, each.kind) in groups]
            total, first = len(listed), (within(page, len(listed), PAGE) - 1) * PAGE
            rows = uow.preview_selection.items(listed[first : first + PAGE])
        keys = uow.preview_selection.keys_of([row.id for row in rows])
        cut = TableCut(total, within(page, total, PAGE), PAGE, is_by_name(uow, run, wanted))
        preview = preview_of(uow, run)
    return PeoplePage(
        preview=preview,
        counts=_counts(found),
        chosen=sum(each.people for each in everybody if _is_chosen(each)),
        choosable=sum(each.people for each in everybody if each.state is ItemState.WAITING),
        matching_choosable=sum(
            each.people
            for each in found
            if each.state is ItemState.WAITING and group_of(each.state, each.kind) in groups
        ),
        people=tuple(_person(row, keys[row.id]) for row in rows),
        cut=cut,
    )


def see_plan(ctx: Context, run_id: str, *, look: TableLook | None = None, reveal: bool = False) -> PlanPage:
    """What an approval would write now, one page of people. `reveal`: show masked items in plain. Raises
    Refused("run_not_found")."""
    look = look or TableLook()
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, run_id)
        everybody = uow.preview_selection.tally(Asked(run))
        chosen = [each for each in everybody if _is_chosen(each)]
        created = sum(each.people for each in chosen if each.kind == PlanKind.CREATE)
        wanted = sought(look.search, ctx.keys.signing)
        asked = Asked(run, _kinds_in(WRITABLE), wanted, chosen=True)
        found, cut = cut_table(uow, asked, look, size=PLANS, everybody=sum(each.people for each in chosen))
        changes = uow.changes.of_items([row.id for row in found.rows])
        by_key = uow.preview_selection.changes_by_key(run.id, kind=PlanKind.UPDATE)
        connection = uow.connections.get(run.connection_id)
        alarms = mass_change_in(ctx, uow, run) or (alarms_of_held(run) if run.trigger is Trigger.HELD else ())
        preview = preview_of(uow, run, connection)
    say = ctx.wording(Language.JAPANESE)
    to_freee = created and run.direction.target is System.FREEE
    return PlanPage(
        preview=preview,
        created=created,
        updated=sum(each.people for each in chosen) - created,
        left_out=sum(each.people for each in everybody if each.state is ItemState.WAITING and not each.chosen),
        by_key=_by_frequency(by_key),
        alarms=alarms,
        export_settings=connection.export_settings if connection and to_freee else None,
        people=tuple(
            PlannedPerson(
                row.name,
                row.position,
                item_view(row, changes[row.id], (), trigger=run.trigger, say=say, reveal=reveal),
                _lossy(row),
            )
            for row in found.rows
        ),
        cut=cut,
    )


# ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def preview_of(uow: UnitOfWork, run: RunRow, connection: Connection | None = None) -> Preview:
    found = connection or uow.connections.get(run.connection_id)
    assert found is not None
    return as_row(
        Preview,
        run,
        id=run.public_id,
        connection=found.key,
        company=found.name,
        employees=None if run.scope is None else len(run.scope),
        state=run.state if run.ends_as is None else run.ends_as,
        approved=run.approved_at is not None or not run.shows_first,
        held=run.shows_first and not run.dry_run and run.decide_until is None,
        next_try=run.survey_next_at if run.state is RunState.WAITING else None,
        paused=found.paused,
        needs_consent=found.needs_consent,
        can_read_again=run.trigger not in (Trigger.UNDO, Trigger.HELD) and not run.is_beginning,
        begins=run.is_beginning,
        seconded=run.decide_until is not None,
    )


def asked_in(run: RunRow, groups: Collection[Group], wanted: Sought | None) -> Asked:
    """The people whom the filter and the search find."""
    return Asked(run, _kinds_in(groups), wanted)


def _kinds_in(groups: Collection[Group]) -> Mapping[ItemState, Collection[str]] | None:
    """State → kinds of the people in these groups; None: everybody is."""
    if len(groups) == len(Group):
        return None
    kinds = {state: [kind.value for kind in PlanKind if group_of(state, kind) in groups] for state in ItemState}
    return {state: found for state, found in kinds.items() if found}


def _counts(found: Iterable[Tally]) -> dict[Group, int]:
    counts = dict.fromkeys(Group, 0)
    for each in found:
        counts[group_of(each.state, each.kind)] += each.people
    return counts


def _is_chosen(each: Tally) -> bool:
    return each.chosen and each.state is ItemState.WAITING


def _person(row: ItemRow, keys: Sequence[str]) -> PersonView:
    codes = dict.fromkeys(note["code"] for note in row.notes if note["severity"] != "info")
    return PersonView(
        position=row.position,
        number=row.employee_number,
        name=row.name,
        group=group_of(row.state, row.kind),
        state=row.state,
        items=len(keys),
        pay_month=row.pay_month,
        chosen=row.chosen,
        retroactive=row.direction.target is System.FREEE
        and any(BY_KEY[key].retroactive for key in keys if key in BY_KEY),
        lossy=row.state is ItemState.WAITING and bool(_lossy(row)),
        code=row.error_code,
        codes=tuple(code for code in codes if code != row.error_code),
        has_candidates=bool(row.candidates),
    )


def _lossy(row: ItemRow) -> frozenset[str]:
    """The keys of the items whose value loses something at the target. Planning leaves a note for each of them."""
    return frozenset(str(note["key"]) for note in row.notes if note["code"] == "lossy")


def _by_frequency(people: Mapping[str, int]) -> tuple[tuple[str, int, bool], ...]:
    """(key, people, retroactive), the item that most people have first; where numbers are equal, in the order of
    FIELDS."""
    ranks = {key: rank for rank, key in enumerate(BY_KEY)}
    known = [(key, number) for key, number in people.items() if key in ranks]
    known.sort(key=lambda pair: (-pair[1], ranks[pair[0]]))
    return tuple((key, number, BY_KEY[key].retroactive) for key, number in known)
