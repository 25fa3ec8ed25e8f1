"""What only invented rows need: a past for their alerts, and going away again without a trace."""

from __future__ import annotations

from typing import cast

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from emostore.store.alerts import alerts
from emostore.store.session import Store
from emostore.store.tables.models import (
    ActiveCalibration,
    Agent,
    Analysis,
    Calibration,
    Clip,
    ModelRevision,
    Recording,
    RecordingSession,
    Team,
)
from emostore.store.tables.report_models import Alert
from emostore.store.writing import deletes
from emostore.store.writing.edits import changing

_AT_ONCE = 2_000  # recordings deleted in one transaction
_WAITING = 40  # of the latest alerts stay open
_JUDGED = 400  # of those before have a story; the older ones are resolved


def judge_alerts(session: Session, seed: int, user: str) -> None:
    """Say of some invented alerts what became of them, as people would have: most were right."""
    invented = select(Alert.id).join(Clip, Clip.id == Alert.clip_id).join(Recording).where(Recording.demo)
    latest = invented.where(Alert.state == "open").order_by(Alert.happened_at.desc(), Alert.id.desc())
    ids = list(session.scalars(latest.limit(_JUDGED + _WAITING)))[_WAITING:]
    parts = ((0, 5, "resolved"), (5, 6, "false_alarm"), (6, 8, "acknowledged"))
    for first, last, state in parts:
        some = [each for number, each in enumerate(ids) if first <= (number * 7 + seed) % 10 < last]
        if some:
            alerts.set_state(session, some, cast("alerts.AlertState", state), user)
    if len(ids) == _JUDGED:
        # In one go, because roll-ups count an open alert and a resolved one alike.
        older = select(Alert.happened_at).where(Alert.id == ids[-1]).scalar_subquery()
        done = update(Alert).where(Alert.state == "open", Alert.happened_at < older)
        of_demo = Alert.clip_id.in_(select(Clip.id).join(Recording).where(Recording.demo))
        session.execute(done.where(of_demo).values(state="resolved").execution_options(synchronize_session=False))


def remove_some(store: Store) -> int:
    """Delete some invented recordings with all that hangs on them; how many clips, 0 if none were left."""
    with changing(store) as session:
        recordings = select(Recording.id).where(Recording.demo).limit(_AT_ONCE)
        ids = list(session.scalars(select(Clip.id).where(Clip.recording_id.in_(recordings))))
        return deletes.delete_clips(session, ids).clips


def forget_people(session: Session, mark: str, model: tuple[str, str]) -> None:
    """Forget invented agents, teams, sessions and the model, as far as nothing real has come to hang on them."""
    empty = ~exists().where(Clip.session_id == RecordingSession.id)
    marked = RecordingSession.name.endswith(mark, autoescape=True)
    session.execute(delete(RecordingSession).where(marked, empty).execution_options(synchronize_session=False))
    unused = ~exists().where(Clip.agent_id == Agent.id)
    session.execute(delete(Agent).where(Agent.demo, unused).execution_options(synchronize_session=False))
    session.execute(update(Agent).where(Agent.demo).values(demo=False).execution_options(synchronize_session=False))
    nobody = ~exists().where(Agent.team_id == Team.id)
    of_demo = Team.name.endswith(mark, autoescape=True)
    session.execute(delete(Team).where(of_demo, nobody).execution_options(synchronize_session=False))
    name, revision = model
    gone = select(ModelRevision.id).where(
        ModelRevision.name == name,
        ModelRevision.revision == revision,
        ~exists().where(Analysis.model_revision_id == ModelRevision.id),
    )
    ids = list(session.scalars(gone))
    session.execute(delete(ActiveCalibration).where(ActiveCalibration.model_revision_id.in_(ids)))
    session.execute(delete(Calibration).where(Calibration.model_revision_id.in_(ids)))
    session.execute(delete(ModelRevision).where(ModelRevision.id.in_(ids)))
