"""What becomes of alerts: states, assignees and comments, and what rules find when they are asked again.

Each function works in the transaction of its caller and keeps the roll-ups exact, which count every
alert but the false alarms.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from emostore.errors import MetadataError
from emostore.store.rollups import rollups
from emostore.store.tables.models import NAME_LENGTH, Analysis, Clip
from emostore.store.tables.report_models import Alert, AlertEvent, AlertRule
from emostore.store.writing import bulk, saving
from emostore.store.writing.names import clean, clean_name
from emostore.store.writing.records import NewAlert

AlertState = Literal["open", "acknowledged", "resolved", "false_alarm"]
COMMENT_LENGTH = 4000  # characters


def set_state(session: Session, alert_ids: Sequence[int], state: AlertState, user: str) -> None:
    """Say what became of alerts. Raises `MetadataError` if one is not there any more."""
    _change(session, alert_ids, user, {"state": state})


def assign(session: Session, alert_ids: Sequence[int], assignee: str | None, user: str) -> None:
    """Say who looks after alerts, None for nobody. Raises `MetadataError` if one is not there any more."""
    _change(session, alert_ids, user, {"assignee": clean_name(assignee, "assignee")})


def comment(session: Session, alert_id: int, text: str, user: str) -> None:
    """Write something down beside an alert. Raises `MetadataError` for an empty or overlong comment."""
    cleaned = "\n".join(map(clean, text.strip().splitlines()))
    if not 0 < len(cleaned) <= COMMENT_LENGTH:
        raise MetadataError(
            "A comment has 1 to {allowed} characters; this one has {found}.",
            allowed=COMMENT_LENGTH,
            found=len(cleaned),
        )
    _change(session, [alert_id], user, {}, cleaned)


def replace(session: Session, name: str, found: Mapping[int, Sequence[NewAlert]]) -> tuple[int, int]:
    """What the rule of this name finds now in analyses, by their ids; how many alerts are new and how many went.

    An alert that is open and that nobody has touched goes unless it is found again. One that somebody has
    touched stays as it is, whatever the rule says now, and is not raised again.
    """
    clips = _clips_of(session, found)
    added = gone = 0
    for condition, parameters in bulk.matching(
        session, [bulk.table(Clip).c.id], [(key,) for key in sorted(set(clips.values()))]
    ):
        with rollups.changing(session, condition, parameters) as ids:
            held = set(ids)
            some = {each: alerts for each, alerts in found.items() if clips.get(each) in held}
            more, fewer = _replace(session, name, some, clips)
            added, gone = added + more, gone + fewer
    return added, gone


def _replace(
    session: Session, name: str, found: Mapping[int, Sequence[NewAlert]], clips: Mapping[int, int]
) -> tuple[int, int]:
    versions = select(AlertRule.id).where(AlertRule.name == name)
    touched = exists().where(AlertEvent.alert_id == Alert.id)
    there: dict[int, list[tuple[Alert, bool]]] = {}
    for condition, parameters in bulk.matching(
        session, [bulk.table(Alert).c.analysis_id], [(key,) for key in sorted(found)]
    ):
        statement = select(Alert, touched).where(condition, Alert.rule_id.in_(versions)).order_by(Alert.id)
        for alert, is_touched in session.execute(statement.with_for_update(of=Alert), parameters):
            there.setdefault(alert.analysis_id, []).append((alert, is_touched or alert.state != "open"))
    held = saving.described(session, {clips[each] for each in found})
    rows, gone = [], []
    now = datetime.now(UTC)
    for analysis_id, alerts in found.items():
        old = there.get(analysis_id, [])
        kept = [(alert, is_touched) for alert, is_touched in old if is_touched or any(_same(alert, a) for a in alerts)]
        gone += [alert.id for alert, is_touched in old if (alert, is_touched) not in kept]
        new = [each for each in alerts if not any(_alike(alert, each) for alert, _ in kept)]
        clip_id = clips[analysis_id]
        for row in saving.alert_rows(analysis_id, clip_id, held[clip_id].happened_at, new, now):
            used = [alert.position for alert, _ in old if alert.rule_id == row["rule_id"]]
            rows.append({**row, "position": row["position"] + max(used, default=-1) + 1})
    for condition, parameters in bulk.matching(session, [bulk.table(Alert).c.id], [(key,) for key in gone]):
        session.connection().execute(delete(Alert).where(condition), parameters)
    bulk.add(session, Alert, rows)
    return len(rows), len(gone)


def _same(alert: Alert, new: NewAlert) -> bool:
    """Whether an alert says exactly what is found now."""
    said = (alert.rule_id, alert.severity, alert.value, alert.threshold, alert.start_s, alert.end_s)
    return said == (new.rule_id, new.severity, new.value, new.threshold, new.start_s, new.end_s)


def _alike(alert: Alert, new: NewAlert) -> bool:
    """Whether an alert is about the same moment, or both are about the whole clip."""
    if alert.start_s is None or alert.end_s is None or new.start_s is None or new.end_s is None:
        return alert.start_s is None and new.start_s is None
    return alert.start_s < new.end_s and new.start_s < alert.end_s


def _change(
    session: Session, alert_ids: Sequence[int], user: str, values: Mapping[str, str | None], comment: str | None = None
) -> None:
    keys = sorted({*alert_ids})
    now = datetime.now(UTC)
    clips = set(session.scalars(select(Alert.clip_id).where(Alert.id.in_(keys))))
    with rollups.changing(session, Clip.id.in_(clips)):
        found = list(session.scalars(select(Alert.id).where(Alert.id.in_(keys)).order_by(Alert.id).with_for_update()))
        if len(found) < len(keys) or not keys:
            raise MetadataError("There is no such alert any more. Its clip may have been deleted or analysed again.")
        session.execute(update(Alert).where(Alert.id.in_(keys)).values(**values, changed_at=now))
    events = [
        {
            "alert_id": key,
            "happened_at": now,
            "user": clean(user)[:NAME_LENGTH],
            "state": values.get("state"),
            "assignee": values.get("assignee"),
            "comment": comment,
        }
        for key in keys
    ]
    session.add_all(AlertEvent(**event) for event in events)
    session.flush()


def _clips_of(session: Session, analysis_ids: Collection[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    keys = [(key,) for key in sorted(analysis_ids)]
    for condition, parameters in bulk.matching(session, [bulk.table(Analysis).c.id], keys):
        rows = session.execute(select(Analysis.id, Analysis.clip_id).where(condition), parameters)
        found.update((analysis_id, clip_id) for analysis_id, clip_id in rows)
    return found
