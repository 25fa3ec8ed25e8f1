"""What the names in a filter stand for, so that a page can say that one of them stands for nothing."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import exists, select

from emostore.store.reports.history_filter import HistoryFilter
from emostore.store.session import Store
from emostore.store.tables.models import Agent, ModelRevision, RecordingSession, Team


@dataclass(frozen=True, slots=True)
class FilterNames:
    """Whether there is such an agent, team and model (also where none is asked for), and the name of the session."""

    agent: bool
    team: bool
    model: bool
    session: str | None


def look_up(store: Store, wanted: HistoryFilter) -> FilterNames:
    """The names of a filter, in one statement."""
    name, revision = wanted.model or (None, None)
    asked = {
        "agent": exists().where(Agent.name == wanted.agent),
        "team": exists().where(Team.name == wanted.team),
        "model": exists().where(ModelRevision.name == name, ModelRevision.revision == revision),
    }
    session_name = select(RecordingSession.name).where(RecordingSession.id == wanted.session_id).scalar_subquery()
    statement = select(*(each.label(what) for what, each in asked.items()), session_name.label("session"))
    with store.reading() as session:
        row = session.execute(statement).one()
    return FilterNames(
        agent=wanted.agent is None or bool(row.agent),
        team=wanted.team is None or bool(row.team),
        model=wanted.model is None or bool(row.model),
        session=row.session,
    )
