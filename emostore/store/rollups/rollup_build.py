"""Making the roll-ups again: for another time zone, after a restore, after an update of the program.

It goes clip by clip in small transactions, so that others save meanwhile, and goes on where it was
interrupted. Whoever changes a clip counts it if the rebuild has come past it, and else leaves it to the
rebuild; so the roll-ups hold exactly the clips up to `built_to` at any moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from emostore.store.rollups import rollup_facts, rollups
from emostore.store.session import Store
from emostore.store.tables.models import Clip
from emostore.store.tables.report_models import RollupState, clusters
from emostore.store.tables.report_models import rollups as table

_AT_ONCE = 5_000  # clips; about half a second


@dataclass(frozen=True, slots=True)
class RollupStatus:
    """Whose days the roll-ups count, and whether they hold every clip."""

    time_zone: str
    ready: bool

    def stale(self, time_zone: str) -> bool:
        """Whether reports with the days of `time_zone` have to wait for `rebuild`."""
        return not self.ready or self.time_zone != time_zone


def status(store: Store) -> RollupStatus:
    """What the roll-ups hold now."""
    with store.reading() as session:
        found = session.execute(select(RollupState.time_zone, RollupState.built_to)).one()
    return RollupStatus(found.time_zone, found.built_to is None)


def ensure(
    store: Store,
    time_zone: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> bool:
    """Make the roll-ups hold every clip by the days of a time zone; whether they do in the end.

    Costs one short query where nothing is to be done. Several processes may do this at once: they share
    the work. `progress` hears how many clips of how many are done; `cancelled` is asked between steps,
    and the next call goes on from there.
    """
    if not status(store).stale(time_zone):
        return True
    with store.transaction() as session:
        if _hold(session).time_zone != time_zone:
            forget(session, time_zone)
    with store.reading() as session:
        total = session.scalar(select(func.count()).select_from(Clip)) or 0
    done = 0
    while not cancelled():
        with store.transaction() as session:
            state = _hold(session)
            if state.time_zone != time_zone:
                return False  # somebody has chosen another one meanwhile
            if state.built_to is None:
                return True
            done += _step(session, state)
        progress(min(done, total), total)
    return False


def forget(session: Session, time_zone: str | None = None) -> None:
    """Empty the roll-ups, so that `ensure` makes them again."""
    for each in (table, clusters):
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text(f"TRUNCATE {each.name}"))  # deleting a million rows takes a minute
        else:
            session.execute(delete(each))
    values = {"built_to": 0, **({"time_zone": time_zone} if time_zone else {})}
    session.execute(update(RollupState).values(values))


def _hold(session: Session) -> RollupState:
    return session.scalars(select(RollupState).with_for_update()).one()


def _step(session: Session, state: RollupState) -> int:
    """Count the next clips; how many."""
    first = state.built_to or 0
    ids = select(Clip.id).where(Clip.id > first).order_by(Clip.id).limit(_AT_ONCE).subquery()
    count, last = session.execute(select(func.count(), func.max(ids.c.id)).select_from(ids)).one()
    facts = rollup_facts.of_clips(session, (Clip.id > first) & (Clip.id <= (last or 0)))
    rollups.apply(session, rollup_facts.from_rows([]), facts, ZoneInfo(state.time_zone))
    state.built_to = None if count < _AT_ONCE else last
    return int(count)
