"""Daily roll-ups, kept exact in the transaction that changes what they are made of.

A row adds up the clips of one agent (or of everybody) in one role under one calibration over one day, one
week or four weeks. Everything in it is a whole number, and whatever changes clips takes away what they
were before and adds what they are after, so the order of changes leaves no trace.

For intervals that respect that clips of one call are alike, a row also has the sums of products over
*clusters*: what a session has on that day, in that role, of that agent. Quality scores are linear in the
three parts of `PARTS`, so these suffice for the variance of any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from emostore.store.rollups import rollup_facts, rollup_sql
from emostore.store.rollups.rollup_facts import Facts, Ints
from emostore.store.tables.models import Clip
from emostore.store.tables.report_models import EVERYBODY, MOMENTS, SCORE_UNIT, SPANS, RollupState, clusters, rollups
from emostore.store.writing import bulk

Days = TypeVar("Days", int, Ints)

_NO_FACTS = rollup_facts.from_rows([])
_SESSIONS = 1 + len(MOMENTS)  # columns that come from clusters


@contextmanager
def changing(
    session: Session, condition: ColumnElement[bool], parameters: Mapping[str, Any] | None = None
) -> Iterator[list[int]]:
    """Keep the roll-ups exact while the block changes, or deletes, the clips for which a condition holds.

    Gives the ids of these clips, which nobody else can change until the commit. What the clips refer to
    (recording, agent, session) is locked before, as everywhere.
    """
    held = select(Clip.id).where(condition).order_by(Clip.id).with_for_update(key_share=True)
    ids = list(session.scalars(held, parameters or {}))
    before = of_clips(session, ids)
    yield ids
    session.flush()
    change(session, before, of_clips(session, ids))


def of_clips(session: Session, clip_ids: list[int]) -> Facts:
    """The facts of clips by their ids, as they are now."""
    found = _NO_FACTS
    for condition, parameters in bulk.matching(session, [bulk.table(Clip).c.id], [(key,) for key in clip_ids]):
        found = rollup_facts.joined(found, rollup_facts.of_clips(session, condition, parameters))
    return found


def add(session: Session, facts: Facts) -> None:
    """Add what was scored just now."""
    change(session, _NO_FACTS, facts)


def change(session: Session, before: Facts, after: Facts) -> None:
    """Take away what some clips were, and add what they are."""
    if not len(before) and not len(after):
        return
    # Shared with everybody who saves, but not with a rebuild: it moves on only between transactions.
    state = session.execute(
        select(RollupState.time_zone, RollupState.built_to).with_for_update(read=True, key_share=False)
    ).one()
    before, after = before.up_to(state.built_to), after.up_to(state.built_to)
    apply(session, before, after, ZoneInfo(state.time_zone))


def apply(session: Session, before: Facts, after: Facts, zone: ZoneInfo) -> None:
    """Add the difference to clusters and roll-ups; the caller holds the state."""
    facts = rollup_facts.joined(before, after)
    if not len(facts):
        return
    counted = np.concatenate([-before.counted, after.counted])
    calibration, sessions, role, agent = facts.where.T
    day = facts.days(zone)
    keys, sums = _grouped(np.stack([calibration, sessions, day, role, agent], 1), rollup_facts.parts(counted))
    moved = _move_clusters(session, keys, sums)
    values = np.zeros((len(facts) + len(keys), counted.shape[1] + _SESSIONS), np.int64)
    values[: len(facts), : counted.shape[1]] = counted
    values[len(facts) :, counted.shape[1] :] = moved
    daily = np.concatenate([np.stack([calibration, role, day, agent], 1), keys[:, [0, 3, 2, 4]]])
    _add(session, *_grouped(daily, values))


def span_start(day: Days, span: int) -> Days:
    """The first day of the span in which a day lies, as ordinals: a week's is its Monday."""
    return day - (day - 1) % span


def _move_clusters(session: Session, keys: Ints, sums: Ints) -> Ints:
    """Change the clusters, and tell how many more there are and how their products change, for each key."""
    answer = np.zeros((len(keys), _SESSIONS), np.int64)
    touched = sums.any(axis=1)
    keys, sums = keys[touched], sums[touched]
    now = rollup_sql.add_up_returning(session.connection(), clusters, keys, sums)
    before = now - sums
    answer[touched, 0] = (now[:, 0] > 0).astype(np.int64) - (before[:, 0] > 0)
    answer[touched, 1:] = _moments(now) - _moments(before)
    rollup_sql.drop(session.connection(), clusters, keys[now[:, 0] == 0])
    return answer


def _moments(cluster: Ints) -> Ints:
    """The products of clusters (n, 4) in the order of `MOMENTS`, in units of 1 for clips squared, else `SCORE_UNIT`."""
    clips, *parts = cluster.T
    products = [clips * each for each in cluster.T]
    for i, first in enumerate(parts):
        for second in parts[i:]:
            # In two steps, since what thousands of clips give has no room in 64 bits before it is divided.
            whole, rest = np.divmod(first, SCORE_UNIT)
            products.append(whole * second + (rest * second + SCORE_UNIT // 2) // SCORE_UNIT)
    return np.stack(products, 1)


def _add(session: Session, keys: Ints, values: Ints) -> None:
    """Add daily sums (by calibration, role, day, agent) to the rows of every span, each agent's and everybody's."""
    found = []
    for span in SPANS:  # each from the one before, in which it begins and ends
        keys = keys.copy()
        keys[:, 2] = span_start(keys[:, 2], span)
        keys, values = _grouped(keys, values)
        everybody = keys.copy()
        everybody[:, 3] = EVERYBODY
        for who, sums in ((keys, values), _grouped(everybody, values)):
            calibration, role, day, agent = who.T
            found.append((np.stack([calibration, np.full_like(day, span), role, day, agent], 1), sums))
    # Each row once and in one order, so that two who save at once cannot wait for each other.
    every, changes = (np.concatenate(each) for each in zip(*found, strict=True))
    touched = changes.any(axis=1)
    every, changes = every[touched], changes[touched]
    rollup_sql.add_up(session.connection(), rollups, every, changes)
    rollup_sql.drop(session.connection(), rollups, every[changes[:, 0] < 0])


def _grouped(keys: Ints, values: Ints) -> tuple[Ints, Ints]:
    """Distinct keys, sorted, and the sums of their values."""
    order = np.lexsort(keys.T[::-1])
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], (keys[1:] != keys[:-1]).any(axis=1)]))
    return keys[starts], np.add.reduceat(values[order], starts, axis=0)
