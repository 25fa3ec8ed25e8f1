"""Reading roll-ups: a stretch of days as few rows as possible, added up by the database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ColumnElement, Subquery, cast, func, select, union_all
from sqlalchemy.orm import Session

from emostore.emotions import EMOTIONS
from emostore.store.reports.report_views import ModelInUse, Moments, SeriesPoint, Totals
from emostore.store.rollups.rollups import span_start
from emostore.store.tables.models import ROLES, ActiveCalibration, Analysis, Calibration, ModelRevision
from emostore.store.tables.report_models import COUNTED, MOMENTS, PARTS, SCORE_UNIT, SPANS, VALUES, WEIGHT_UNIT, rollups

Model = tuple[str, str]  # name and revision

RANKED_ROLES = ("customer", "mixed")  # whose voice tells how well a call went
_N = len(EMOTIONS)
_FIRST_OF = {name: VALUES.index(name) for name in ("sum_angry", "weighted_angry", "dominant_angry", "sessions")}
# What moments need, as columns of a query: clusters, clips, the three parts, the products.
MOMENT_COLUMNS: tuple[ColumnElement[Any], ...] = (
    rollups.c.sessions,
    rollups.c.clips,
    *(
        sum((rollups.c[f"sum_{name}"] for name in names[1:]), start=rollups.c[f"sum_{names[0]}"]).label(part)
        for part, names in PARTS.items()
    ),
    *(rollups.c[name] for name in MOMENTS),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of one span that begin on these days, as ordinals, the last included."""

    span: int
    first: int
    last: int


def pieces(first: date, last: date, spans: Sequence[int] = SPANS[::-1]) -> list[Piece]:
    """The rows that together cover these days, the longest spans in the middle; none if the days are inverted."""
    return _pieces(first.toordinal(), last.toordinal(), tuple(spans))


def _pieces(first: int, last: int, spans: tuple[int, ...]) -> list[Piece]:
    if first > last:
        return []
    span, *shorter = spans
    begin = span_start(first + span - 1, span)
    end = span_start(last + 1, span)  # the first day that is not covered
    if begin >= end:
        return _pieces(first, last, tuple(shorter))
    middle = Piece(span, begin, end - span)
    return [*_pieces(first, begin - 1, tuple(shorter)), middle, *_pieces(end, last, tuple(shorter))]


def model_in_use(session: Session, model: Model | None) -> ModelInUse | None:
    """The asked model, or without one that of the newest analysis; None if there is none."""
    statement = (
        select(
            *(ModelRevision.name, ModelRevision.revision, ModelRevision.classes, ModelRevision.id),
            *(Calibration.id, Calibration.name, Calibration.version),
        )
        .join(ActiveCalibration, ActiveCalibration.model_revision_id == ModelRevision.id)
        .join(Calibration, Calibration.id == ActiveCalibration.calibration_id)
    )
    if model is not None:
        statement = statement.where(ModelRevision.name == model[0], ModelRevision.revision == model[1])
    else:
        newest = select(func.max(Analysis.id)).scalar_subquery()
        by_it = select(Analysis.model_revision_id).where(Analysis.id == newest).scalar_subquery()
        statement = statement.where(ModelRevision.id == by_it)
    found = session.execute(statement).one_or_none()
    if found is None:
        return None
    name, revision, classes, *rest = found
    return ModelInUse(name, revision, tuple(classes), *rest)


def days_of(session: Session, calibration_id: int, first: date | None, last: date | None) -> tuple[date, date] | None:
    """The asked days, an open end being where the clips begin or end; None if there are no clips at all."""
    if first is not None and last is not None:
        return first, last
    # Role by role, because then an index leads to the first and the last row.
    ends = []
    for role in ROLES:
        column = rollups.c.first_day
        mine = select(column).where(
            rollups.c.calibration_id == calibration_id, rollups.c.span_days == 1, rollups.c.role == role
        )
        ends += [mine.order_by(each).limit(1).scalar_subquery() for each in (column, column.desc())]
    found = [day for day in session.execute(select(*ends)).one() if day is not None]
    return (first or min(found), last or max(found)) if found else None


def rows_of(
    calibration_id: int,
    covered: Iterable[Piece],
    columns: Sequence[ColumnElement[Any]],
    roles: Collection[str],
    who: ColumnElement[bool],
) -> Subquery | None:
    """The rows of these pieces and roles; `who` says of which agents. None without pieces."""
    parts = [
        select(rollups.c.agent_id, rollups.c.role, rollups.c.first_day, *columns).where(
            rollups.c.calibration_id == calibration_id,
            rollups.c.span_days == piece.span,
            rollups.c.role.in_(sorted(roles)),
            rollups.c.first_day.between(date.fromordinal(piece.first), date.fromordinal(piece.last)),
            who,
        )
        for piece in covered
    ]
    if not parts:
        return None
    return (union_all(*parts) if len(parts) > 1 else parts[0]).subquery()


def summed(found: Subquery, names: Iterable[str]) -> list[ColumnElement[int]]:
    """Sums of these columns; a sum of `bigint` is `numeric` on PostgreSQL, which nothing here needs."""
    return [cast(func.coalesce(func.sum(found.c[name]), 0), BigInteger) for name in names]


def totals_of(values: Sequence[int]) -> Totals:
    """Totals from sums in the order of `VALUES`."""

    def nine(first: str, unit: int) -> tuple[float, ...]:
        begin = _FIRST_OF[first]
        return tuple(value / unit for value in values[begin : begin + _N])

    clips, alerts, speech = values[:3]
    parts = [sum(values[COUNTED.index(f"sum_{name}")] for name in names) for names in PARTS.values()]
    begin = _FIRST_OF["dominant_angry"]
    return Totals(
        clips=clips,
        alerts=alerts,
        speech_s=speech / WEIGHT_UNIT,
        sums=nine("sum_angry", SCORE_UNIT),
        weighted=nine("weighted_angry", SCORE_UNIT),
        dominant=tuple(values[begin : begin + _N]),
        moments=moments_of([values[_FIRST_OF["sessions"]], clips, *parts, *values[_FIRST_OF["sessions"] + 1 :]]),
    )


def moments_of(values: Sequence[int]) -> Moments:
    """Moments from sums in the order of `MOMENT_COLUMNS`."""
    clusters, clips, positive, negative, neutral, squared, *products = values
    scaled = [value / SCORE_UNIT for value in (positive, negative, neutral, *products)]
    ordered: list[Any] = [clusters, clips, *scaled[:3], squared, *scaled[3:]]
    return Moments(*ordered)


def series(
    session: Session,
    calibration_id: int,
    days: tuple[date, date],
    roles: Collection[str],
    who: ColumnElement[bool],
    step: int,
) -> tuple[SeriesPoint, ...]:
    """One point for each day (`step` 1) or week (7) with clips, in order; edges count only the days asked for."""
    covered = pieces(*days, spans=[span for span in SPANS[::-1] if span <= step])
    found = rows_of(calibration_id, covered, [rollups.c[name] for name in VALUES], roles, who)
    if found is None:
        return ()
    statement = select(found.c.first_day, *summed(found, VALUES)).group_by(found.c.first_day)
    points: dict[int, NDArray[np.int64]] = {}
    for first_day, *values in session.execute(statement):
        start = span_start(first_day.toordinal(), step)
        points[start] = points.get(start, 0) + np.array(values, np.int64)
    return tuple(SeriesPoint(date.fromordinal(start), totals_of(points[start].tolist())) for start in sorted(points))
