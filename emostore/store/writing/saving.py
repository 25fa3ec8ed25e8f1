"""The steps of saving, each for many rows at once, in the order in which they take their locks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import MetadataError
from emostore.store import audit
from emostore.store.rollups import rollup_facts, rollups
from emostore.store.tables.models import (
    RAW_VERSION,
    ActiveCalibration,
    Agent,
    Analysis,
    Calibration,
    Clip,
    ClipSpeech,
    Embedding,
    ModelRevision,
    Recording,
    RecordingSession,
    Score,
    Team,
)
from emostore.store.tables.report_models import Alert
from emostore.store.writing import bulk
from emostore.store.writing.records import (
    Analysed,
    ModelRevisionKey,
    NewAlert,
    NewAnalysis,
    NewClip,
    NewRecording,
    RecalibratedError,
)

Channel = tuple[str, int]  # the recording's SHA-256 and the channel: what identifies a clip
AnalysisKey = tuple[int, int, str]  # ids of clip and model revision, granularity


class HeldClip(NamedTuple):
    """A clip as it is stored, which need not be as it was given."""

    role: str
    agent: str | None
    team: str | None
    session_id: int
    session_name: str
    agent_id: int | None
    happened_at: datetime
    speech_s: float | None
    duration_s: float


def save_clips(
    session: Session, clips: Mapping[Channel, NewClip], user: str | None = None
) -> tuple[dict[Channel, int], set[Channel]]:
    """Ids of the clips, and those that are new. The recordings stay locked, so nobody else adds clips to them."""
    rows = {(clip.recording.sha256,): _recording_row(clip.recording) for clip in reversed(list(clips.values()))}
    recordings, new_recordings = bulk.ensure(session, Recording, rows, ["sha256"], lock="write")
    if user is not None:
        brought = [(recordings[key], rows[key]["file_name"]) for key in sorted(new_recordings)]
        audit.record_many(
            session, user, "analysed", "recording", {identifier: {"file": name} for identifier, name in brought}
        )
    keys = {channel: (recordings[channel[:1]], channel[1]) for channel in clips}
    found = bulk.ids(
        session,
        Clip,
        (key for (sha, _), key in keys.items() if (sha,) not in new_recordings),
        ["recording_id", "channel"],
    )
    fresh = {key: clips[channel] for channel, key in keys.items() if key not in found}
    # Agents and sessions are made only for clips that are new, so that a second upload leaves no trace.
    agents, sessions = _save_agents(session, fresh.values()), _save_sessions(session, fresh.values())
    times = _happened_at(session, {key[0] for key in fresh if (fresh[key].recording.sha256,) not in new_recordings})
    new_rows = {
        key: {
            "recording_id": key[0],
            "channel": key[1],
            "role": clip.role,
            "session_id": sessions[clip.session[0]],
            "agent_id": agents.get(clip.agent),
            "happened_at": times.get(key[0], clip.recording.happened_at),
            "duration_s": clip.duration_s,
            "speech_s": clip.speech_s,
        }
        for key, clip in fresh.items()
    }
    made, _ = bulk.ensure(session, Clip, new_rows, ["recording_id", "channel"])
    found |= made
    return {channel: found[key] for channel, key in keys.items()}, {c for c, key in keys.items() if key in fresh}


def save_segments(session: Session, clips: Mapping[int, NewClip]) -> None:
    """Keep where somebody speaks in clips, by their ids; what is known of one already stays."""
    rows = [{"clip_id": key, "segments": clips[key].segments} for key in sorted(clips)]
    bulk.add_missing(session, ClipSpeech, [row for row in rows if row["segments"] is not None])


def save_models(session: Session, models: Collection[ModelRevisionKey]) -> dict[ModelRevisionKey, tuple[int, int]]:
    """Ids of the model revisions, each with that of its calibration `raw`, which is active from the start."""
    now = datetime.now(UTC)
    by_key = {(model.name, model.revision): model for model in models}
    rows = {
        key: {
            "name": model.name,
            "revision": model.revision,
            "dim": model.dim,
            "classes": list(model.classes),
            "licence": model.licence,
            "first_seen_at": now,
        }
        for key, model in by_key.items()
    }
    revisions, _ = bulk.ensure(session, ModelRevision, rows, ["name", "revision"], likely=True)
    raw = {
        (revision, RAW_VERSION): {
            "model_revision_id": revision,
            "version": RAW_VERSION,
            "name": "raw",
            "parameters": {},
            "created_at": now,
        }
        for revision in revisions.values()
    }
    calibrations, created = bulk.ensure(session, Calibration, raw, ["model_revision_id", "version"], likely=True)
    pointers = [{"model_revision_id": key[0], "calibration_id": calibrations[key]} for key in sorted(created)]
    bulk.add(session, ActiveCalibration, pointers)
    found = {model: revisions[model.name, model.revision] for model in models}
    return {model: (revision, calibrations[revision, RAW_VERSION]) for model, revision in found.items()}


def lock_calibrations(session: Session, raw: Mapping[int, int]) -> dict[int, tuple[int | None, set[int]]]:
    """By model revision, the calibration that is read, None for raw, and all but raw that analyses are scored under.

    Until the commit, none begins or ends to be one of these. `raw` are the ids of the models' raw calibrations.
    """
    pointers = (
        select(ActiveCalibration.model_revision_id, ActiveCalibration.calibration_id)
        .where(ActiveCalibration.model_revision_id.in_(list(raw)))
        .order_by(ActiveCalibration.model_revision_id)
        .with_for_update(read=True)
    )
    read = {model: None if active == raw[model] else active for model, active in session.execute(pointers)}
    found = {model: (active, set() if active is None else {active}) for model, active in read.items()}
    scoring = select(Calibration.model_revision_id, Calibration.id).where(
        Calibration.model_revision_id.in_(list(raw)), Calibration.state == "scoring"
    )
    for model, calibration in session.execute(scoring):
        found[model][1].add(calibration)
    return found


def save_analyses(
    session: Session,
    analyses: Mapping[AnalysisKey, NewAnalysis],
    models: Mapping[ModelRevisionKey, tuple[int, int]],
    clips: Mapping[int, HeldClip],
) -> tuple[dict[AnalysisKey, int], set[AnalysisKey]]:
    """Ids of the analyses, and the keys of the new ones.

    The scores, embeddings and alerts of these are saved with them, and the roll-ups count them. `clips`
    are as they are stored, and held until the commit. Raises `RecalibratedError` for a new one without the scores of a
    calibration that is in use, or whose alerts are those of another.
    """
    in_use = lock_calibrations(session, dict(models.values()))
    rows = {key: _analysis_row(key, analysis) for key, analysis in analyses.items()}
    found, created = bulk.ensure(session, Analysis, rows, ["clip_id", "model_revision_id", "granularity"])
    scores, embeddings, alerts, facts = [], [], [], []
    now = datetime.now(UTC)
    for key in sorted(created):
        analysis = analyses[key]
        outcome = analysis.outcome
        if not isinstance(outcome, Analysed):
            continue
        clip = clips[key[0]]
        read, needed = in_use[key[1]]
        if outcome.read_under != read or not needed <= outcome.calibrated.keys():
            raise RecalibratedError("Another calibration is in use by now, so nothing was saved. Try again.")
        under = {models[analysis.model][1]: outcome.scores, **{each: outcome.calibrated[each] for each in needed}}
        for calibration, nine in sorted(under.items()):
            row = score_row(found[key], calibration, key[0], clip.happened_at, nine)
            scores.append(row)
            facts.append(_fact(row, clip, len(analysis.alerts)))
        if outcome.embedding is not None:
            embeddings.append({"analysis_id": found[key], "vector": outcome.embedding})
        if analysis.alerts:
            alerts += alert_rows(found[key], key[0], clip.happened_at, analysis.alerts, now)
    bulk.add(session, Score, scores)
    bulk.add(session, Embedding, embeddings)
    bulk.add(session, Alert, alerts)
    rollups.add(session, rollup_facts.from_rows(facts))
    return found, created


def hold(session: Session, clip_ids: Iterable[int]) -> None:
    """Keep others from changing clips that were there before, until the commit."""
    bulk.ids(session, Clip, [(key,) for key in clip_ids], ["id"], lock="hold")


def described(session: Session, clip_ids: Iterable[int]) -> dict[int, HeldClip]:
    """The clips as they are stored, by their ids."""
    statement = (
        select(
            Clip.id,
            Clip.role,
            Agent.name,
            Team.name,
            *(Clip.session_id, RecordingSession.name),
            *(Clip.agent_id, Clip.happened_at, Clip.speech_s, Clip.duration_s),
        )
        .join(RecordingSession, Clip.session_id == RecordingSession.id)
        .outerjoin(Agent, Clip.agent_id == Agent.id)
        .outerjoin(Team, Agent.team_id == Team.id)
    )
    found: dict[int, HeldClip] = {}
    for condition, parameters in bulk.matching(session, [bulk.table(Clip).c.id], [(key,) for key in sorted(clip_ids)]):
        for identifier, *values in session.execute(statement.where(condition), parameters):
            found[identifier] = HeldClip(*values)
    return found


def score_row(
    analysis_id: int, calibration_id: int, clip_id: int, happened_at: datetime, scores: EmotionScores
) -> dict[str, Any]:
    """The row of `Score` for a distribution; the clip and its time are the analysis's."""
    # A sum within rounding of 1 lets a value or the entropy stand that far outside [0, 1].
    return {
        "analysis_id": analysis_id,
        "calibration_id": calibration_id,
        **{name: min(value, 1.0) for name, value in zip(EMOTIONS, scores.vector, strict=True)},
        "dominant": scores.dominant,
        "confidence": min(scores.confidence, 1.0),
        "entropy": min(max(scores.entropy, 0.0), 1.0),
        "clip_id": clip_id,
        "happened_at": happened_at,
    }


def alert_rows(
    analysis_id: int, clip_id: int, happened_at: datetime, alerts: Iterable[NewAlert], now: datetime
) -> list[dict[str, Any]]:
    """The rows of `Alert` for what rules found in an analysis, all of them open."""
    positions: dict[int, int] = {}
    rows = []
    for alert in alerts:
        position = positions[alert.rule_id] = positions.get(alert.rule_id, -1) + 1
        rows.append(
            {
                "analysis_id": analysis_id,
                "rule_id": alert.rule_id,
                "position": position,
                "clip_id": clip_id,
                "happened_at": happened_at,
                "severity": alert.severity,
                "value": alert.value,
                "threshold": alert.threshold,
                "start_s": alert.start_s,
                "end_s": alert.end_s,
                "state": "open",
                "created_at": now,
                "changed_at": now,
            }
        )
    return rows


def _fact(row: Mapping[str, Any], clip: HeldClip, alerts: int) -> tuple[Any, ...]:
    """What `rollup_facts` takes, of a row of `Score`."""
    place = (row["clip_id"], row["calibration_id"], clip.session_id, clip.agent_id, clip.role, clip.happened_at)
    return (*place, clip.speech_s, clip.duration_s, alerts, row["dominant"], *(row[name] for name in EMOTIONS))


def _save_agents(session: Session, clips: Iterable[NewClip]) -> dict[str | None, int]:
    """Ids of the agents the clips name. Raises `MetadataError` if one would belong to two teams."""
    given: dict[str, str | None] = {}
    invented = set()
    for clip in clips:
        if clip.agent is not None:
            if clip.recording.demo:
                invented.add(clip.agent)
            _check_team(clip.agent, given.get(clip.agent), clip.team)
            given[clip.agent] = given.get(clip.agent) or clip.team
    teams, _ = bulk.ensure(
        session,
        Team,
        {(team,): {"name": team} for team in given.values() if team},
        ["name"],
        lock="share",
        likely=True,
    )
    rows = {
        (name,): {"name": name, "team_id": teams.get((team,)), "demo": name in invented} for name, team in given.items()
    }
    agents, created = bulk.ensure(session, Agent, rows, ["name"], lock="share", likely=True)
    known = {agent: teams.get((given[key[0]],)) for key, agent in agents.items() if key not in created}
    _join_teams(session, known, given)
    return {name: agent for (name,), agent in agents.items()}


def _join_teams(session: Session, teams: Mapping[int, int | None], given: Mapping[str, str | None]) -> None:
    """Put agents who were there without a team into the one that is given; refuse to move any."""
    joining = {agent: team for agent, team in sorted(teams.items()) if team is not None}
    alone = _check_teams(session, joining, given)
    if alone:
        agents = bulk.table(Agent)
        statement = update(agents).where(agents.c.id == bindparam("agent"), agents.c.team_id.is_(None))
        rows = [{"agent": agent, "team": joining[agent]} for agent in alone]
        session.execute(statement.values(team_id=bindparam("team")), rows)
        _check_teams(session, alone, given)  # somebody else may have been quicker


def _check_teams(session: Session, agents: Collection[int], given: Mapping[str, str | None]) -> list[int]:
    """Those of the agents who are in no team; raise `MetadataError` for one in another team than is given."""
    stored = select(Agent.id, Agent.name, Team.name).join(Team, Agent.team_id == Team.id).order_by(Agent.id)
    alone = set(agents)
    for condition, parameters in bulk.matching(session, [bulk.table(Agent).c.id], [(agent,) for agent in agents]):
        for identifier, agent, team in session.execute(stored.where(condition), parameters):
            _check_team(agent, team, given[agent])
            alone.discard(identifier)
    return sorted(alone)


def _check_team(agent: str, found: str | None, given: str | None) -> None:
    if found is not None and given is not None and found != given:
        raise MetadataError(
            "Agent {agent} belongs to team {found}, not {given}. Leave the team empty, or give the agent another"
            " name if it is somebody else.",
            agent=agent,
            found=found,
            given=given,
        )


def _save_sessions(session: Session, clips: Iterable[NewClip]) -> dict[str, int]:
    now = datetime.now(UTC)
    rows: dict[bulk.Key, bulk.Row] = {}
    for clip in clips:
        key, name = clip.session
        rows.setdefault((key,), {"key": key, "name": name, "created_at": now})
    found, _ = bulk.ensure(session, RecordingSession, rows, ["key"], lock="share")
    return {key: identifier for (key,), identifier in found.items()}


def _happened_at(session: Session, recording_ids: Iterable[int]) -> dict[int, datetime]:
    """When recordings that were there before happened: what is stored counts, not what is given now."""
    found: dict[int, datetime] = {}
    statement = select(Recording.id, Recording.happened_at)
    keys = [(identifier,) for identifier in sorted(recording_ids)]
    for condition, parameters in bulk.matching(session, [bulk.table(Recording).c.id], keys):
        rows = session.execute(statement.where(condition), parameters)
        found.update((identifier, time) for identifier, time in rows)
    return found


def _recording_row(recording: NewRecording) -> dict[str, Any]:
    row = {name: getattr(recording, name) for name in recording.__slots__}
    return {**row, "notes": [{"message": note.message, "params": dict(note.params)} for note in recording.notes]}


def _analysis_row(key: AnalysisKey, analysis: NewAnalysis) -> dict[str, Any]:
    outcome = analysis.outcome
    analysed = outcome if isinstance(outcome, Analysed) else None
    windows = analysed.windows if analysed else None
    return {
        "clip_id": key[0],
        "model_revision_id": key[1],
        "granularity": key[2],
        "status": "analysed" if analysed else "no_speech",
        "no_speech_reason": None if isinstance(outcome, Analysed) else outcome.reason,
        "logits": analysed.logits if analysed else None,
        "window_logits": windows.logits if windows else None,
        "window_count": len(windows.logits) if windows else None,
        "window_hop_s": windows.hop_s if windows else None,
        "window_length_s": windows.length_s if windows else None,
        "analysed_at": analysis.analysed_at,
        "compute_s": analysis.compute_s,
    }
