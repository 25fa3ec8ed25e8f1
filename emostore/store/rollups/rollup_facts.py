"""What a scored clip adds to the roll-ups, as whole numbers: the same for saving, editing and rebuilding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from emostore.emotions import EMOTIONS
from emostore.store.tables.models import ROLES, Analysis, Clip, Score
from emostore.store.tables.report_models import CLUSTER_VALUES, COUNTED, NOBODY, PARTS, SCORE_UNIT, WEIGHT_UNIT, Alert

Ints = NDArray[np.int64]

_ROLE = {role: number for number, role in enumerate(ROLES)}
_DOMINANT = {name: number for number, name in enumerate(EMOTIONS)}
_N = len(EMOTIONS)


@dataclass(frozen=True, slots=True)
class Facts:
    """Scored clips: `where` has a row of calibration, session, role (its number in `ROLES`) and agent each.

    `counted` has shape (facts, len(COUNTED)) and is what each adds to the sums.
    """

    clip_ids: Ints
    where: Ints
    times: Sequence[datetime]
    counted: Ints

    def __len__(self) -> int:
        return len(self.clip_ids)

    def days(self, zone: ZoneInfo) -> Ints:
        """The day of each in a time zone, as `date.toordinal` counts it."""
        return np.array([time.astimezone(zone).toordinal() for time in self.times], np.int64)

    def up_to(self, clip_id: int | None) -> Facts:
        """Those of clips up to an id; all of them for None."""
        if clip_id is None:
            return self
        kept = self.clip_ids <= clip_id
        times = [time for time, keep in zip(self.times, kept.tolist(), strict=True) if keep]
        return Facts(self.clip_ids[kept], self.where[kept], times, self.counted[kept])


def from_rows(rows: Iterable[Sequence[Any]]) -> Facts:
    """Facts of rows in the order of `of_clips`."""
    found = list(rows)
    if not found:
        nothing = np.zeros((0, len(COUNTED)), np.int64)
        return Facts(nothing[:, 0], nothing[:, :4], [], nothing)
    clips, calibrations, sessions, agents, roles, times, speech, lengths, alerts, dominant, *scores = zip(
        *found, strict=True
    )
    places = (clips, calibrations, sessions, agents, roles, times)
    numbers = np.array([_DOMINANT[name] for name in dominant], np.int64)
    return from_columns(*places, speech, lengths, alerts, numbers, np.array(scores, np.float64).T)


def from_columns(
    clips: Sequence[int],
    calibrations: Sequence[int],
    sessions: Sequence[int],
    agents: Sequence[int | None],
    roles: Sequence[str],
    times: Sequence[datetime],
    speech: Sequence[float | None],
    lengths: Sequence[float],
    alerts: Sequence[int],
    dominant: Ints,
    scores: NDArray[np.float64],
) -> Facts:
    """Facts of n clips, each argument a column; `dominant` (n,) counts in `EMOTIONS`, `scores` is (n, 9)."""
    counted = np.zeros((len(clips), len(COUNTED)), np.int64)
    where = [calibrations, sessions, [_ROLE[role] for role in roles], [agent or NOBODY for agent in agents]]
    # What was not listened to counts with its whole length.
    seconds = [length if heard is None else heard for heard, length in zip(speech, lengths, strict=True)]
    weights = np.rint(np.array(seconds, np.float64) * WEIGHT_UNIT).astype(np.int64)
    units = np.rint(scores * SCORE_UNIT).astype(np.int64)
    counted[:, 0] = 1
    counted[:, 1] = alerts
    counted[:, 2] = weights
    counted[:, 3 : 3 + _N] = units
    counted[:, 3 + _N : 3 + 2 * _N] = units * weights[:, None] // WEIGHT_UNIT
    counted[np.arange(len(clips)), 3 + 2 * _N + dominant] = 1
    return Facts(np.array(clips, np.int64), np.array(where, np.int64).T, times, counted)


def parts(counted: Ints) -> Ints:
    """Clips and the sums of the parts of scores, shape (rows, 4), of what rows count."""
    return counted @ _PARTS


def of_clips(session: Session, condition: ColumnElement[bool], parameters: Mapping[str, Any] | None = None) -> Facts:
    """The facts, one for each calibration, of the clips for which a condition holds."""
    raised = (
        select(func.count())
        .where(Alert.analysis_id == Analysis.id, Alert.state != "false_alarm")
        .correlate(Analysis)
        .scalar_subquery()
    )
    statement = (
        select(
            Clip.id,
            Score.calibration_id,
            *(Clip.session_id, Clip.agent_id, Clip.role, Clip.happened_at, Clip.speech_s, Clip.duration_s),
            raised,
            Score.dominant,
            *(getattr(Score, name) for name in EMOTIONS),
        )
        .select_from(Clip)
        .join(Analysis, Analysis.clip_id == Clip.id)
        .join(Score, and_(Score.analysis_id == Analysis.id))
        .where(condition)
    )
    return from_rows(session.execute(statement, parameters or {}))


def joined(first: Facts, second: Facts) -> Facts:
    """Facts of both, those of the first first."""
    return Facts(
        np.concatenate([first.clip_ids, second.clip_ids]),
        np.concatenate([first.where, second.where]),
        [*first.times, *second.times],
        np.concatenate([first.counted, second.counted]),
    )


def _part_matrix() -> Ints:
    matrix = np.zeros((len(COUNTED), len(CLUSTER_VALUES)), np.int64)
    matrix[0, 0] = 1
    for column, names in enumerate(PARTS.values(), 1):
        for name in names:
            matrix[COUNTED.index(f"sum_{name}"), column] = 1
    return matrix


_PARTS = _part_matrix()
