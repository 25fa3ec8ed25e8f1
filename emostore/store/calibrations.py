"""Calibrations: a new set of scores is written beside the old one, then one pointer is moved.

Roll-ups are kept for every calibration, so that moving the pointer costs nothing and can be undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.orm import Session

from emostore.emotions import EmotionScores
from emostore.errors import MetadataError
from emostore.store import bulk, rollup_facts, rollups, saving
from emostore.store.models import ActiveCalibration, Analysis, Calibration, Score
from emostore.store.report_models import clusters
from emostore.store.report_models import rollups as rollup_table


def add(session: Session, model_revision_id: int, name: str, parameters: Mapping[str, Any]) -> int:
    """Add the next version of a model's calibration, without scores and not active; its id."""
    last = select(func.max(Calibration.version)).where(Calibration.model_revision_id == model_revision_id)
    row = Calibration(
        model_revision_id=model_revision_id,
        version=(session.scalar(last) or 0) + 1,
        name=name,
        parameters=dict(parameters),
        created_at=datetime.now(UTC),
    )
    session.add(row)
    session.flush()
    return row.id


def save_scores(session: Session, calibration_id: int, scores: Mapping[int, EmotionScores]) -> None:
    """Save the scores of analyses, by their ids, under a calibration; those that are gone are left out."""
    clips: dict[int, int] = {}
    keys = [(key,) for key in sorted(scores)]
    for condition, parameters in bulk.matching(session, [bulk.table(Analysis).c.id], keys):
        rows = session.execute(select(Analysis.id, Analysis.clip_id).where(condition), parameters)
        clips.update((analysis_id, clip_id) for analysis_id, clip_id in rows)
    saving.hold(session, set(clips.values()))
    held = saving.described(session, set(clips.values()))
    there = {analysis_id: clip_id for analysis_id, clip_id in clips.items() if clip_id in held}
    bulk.add(
        session,
        Score,
        [
            saving.score_row(analysis_id, calibration_id, clip_id, held[clip_id].happened_at, scores[analysis_id])
            for analysis_id, clip_id in there.items()
        ],
    )
    for condition, parameters in bulk.matching(
        session, [bulk.table(Score).c.analysis_id], [(key,) for key in sorted(there)]
    ):
        ours = and_(condition, Score.calibration_id == calibration_id)
        rollups.add(session, rollup_facts.of_clips(session, ours, parameters))


def activate(session: Session, calibration_id: int) -> int:
    """Let everybody read the scores of this calibration; the id of the one before. Raises `MetadataError`."""
    model = session.scalar(select(Calibration.model_revision_id).where(Calibration.id == calibration_id))
    if model is None:
        raise MetadataError("There is no such calibration any more.")
    pointer = select(ActiveCalibration).where(ActiveCalibration.model_revision_id == model).with_for_update()
    before = session.scalars(pointer).one().calibration_id
    session.execute(
        update(ActiveCalibration)
        .where(ActiveCalibration.model_revision_id == model)
        .values(calibration_id=calibration_id)
    )
    return before


def remove(session: Session, calibration_id: int) -> None:
    """Delete a calibration that is not active, with its scores and roll-ups."""
    session.execute(delete(Calibration).where(Calibration.id == calibration_id))
    for table in (rollup_table, clusters):
        session.execute(delete(table).where(table.c.calibration_id == calibration_id))
