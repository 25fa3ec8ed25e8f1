"""Saving analyses, and finding what is stored already."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, select

from emostore.store.session import Store
from emostore.store.tables.models import Agent, Analysis, Clip, ModelRevision, Recording, RecordingSession
from emostore.store.writing import saving
from emostore.store.writing.records import (
    Analysed,
    ModelRevisionKey,
    NewAlert,
    NewAnalysis,
    NewClip,
    NewRecording,
    NewWindows,
    NoSpeech,
    Note,
    Saved,
    StoredClip,
    StoredRecording,
)

__all__ = [
    "Analysed",
    "ModelRevisionKey",
    "NewAlert",
    "NewAnalysis",
    "NewClip",
    "NewRecording",
    "NewWindows",
    "NoSpeech",
    "Note",
    "Saved",
    "StoredClip",
    "StoredRecording",
    "find_recording",
    "save",
    "save_many",
]


def save(store: Store, analysis: NewAnalysis, user: str | None = None) -> Saved:
    """Save one analysis with its clip and recording: `save_many` of one."""
    return save_many(store, [analysis], user)[0]


def save_many(store: Store, analyses: Sequence[NewAnalysis], user: str | None = None) -> list[Saved]:
    """Save analyses with their clips and recordings in one transaction, and answer in their order.

    What is stored already stays as it is: the same (recording, channel, model, granularity) again is
    answered with `created=False`, and a clip keeps its role, agent and session. Of a clip that is given
    twice the first one counts. With `user`, the audit tells who brought each new recording. The number
    of statements does not depend on how many analyses there are, but for one more for each thousand or so.

    Raises `MetadataError` for an agent who belongs to another team, and `StoreError` when the database
    cannot be used. Then nothing is saved.
    """
    if not analyses:
        return []
    clips: dict[saving.Channel, NewClip] = {}
    for item in analyses:
        clips.setdefault(_channel(item.clip), item.clip)
    with store.transaction() as session:
        clip_ids, new_clips = saving.save_clips(session, clips, user)
        saving.save_segments(session, {clip_ids[channel]: clip for channel, clip in clips.items()})
        models = saving.save_models(session, {item.model for item in analyses})
        wanted = [(clip_ids[_channel(item.clip)], models[item.model][0], item.granularity) for item in analyses]
        saving.hold(session, {clip_ids[channel] for channel in clips if channel not in new_clips})
        stored = saving.described(session, set(clip_ids.values()))
        analysis_ids, created = saving.save_analyses(
            session, dict(zip(reversed(wanted), reversed(analyses), strict=True)), models, stored
        )
    answers = []
    for item, key in zip(analyses, wanted, strict=True):
        is_new = key in created
        created.discard(key)  # the same analysis again further down found this one
        clip_is_new = _channel(item.clip) in new_clips
        new_clips.discard(_channel(item.clip))
        clip = stored[key[0]]
        answers.append(
            Saved(
                clip_id=key[0],
                analysis_id=analysis_ids[key],
                session_id=clip.session_id,
                created=is_new,
                clip_created=clip_is_new,
                role=clip.role,
                agent=clip.agent,
                team=clip.team,
                session_name=clip.session_name,
                scores=item.outcome.read if isinstance(item.outcome, Analysed) else None,
            )
        )
    return answers


def find_recording(store: Store, sha256: str, model: ModelRevisionKey | None = None) -> StoredRecording | None:
    """The recording with these bytes, its clips, and which of them `model` has analysed; None if it is not there."""
    is_asked = (
        and_(ModelRevision.name == model.name, ModelRevision.revision == model.revision)
        if model
        else ModelRevision.id.is_(None)
    )
    revision = select(ModelRevision.id).where(is_asked).scalar_subquery()
    clips = (
        select(
            Clip.id,
            Clip.channel,
            Clip.role,
            Agent.name,
            RecordingSession.id,
            RecordingSession.name,
            Analysis.id,
            Analysis.status,
        )
        .join(RecordingSession, Clip.session_id == RecordingSession.id)
        .outerjoin(Agent, Clip.agent_id == Agent.id)
        .outerjoin(
            Analysis,
            and_(
                Analysis.clip_id == Clip.id, Analysis.model_revision_id == revision, Analysis.granularity == "utterance"
            ),
        )
        .order_by(Clip.channel)
    )
    with store.reading() as session:
        found = session.scalar(select(Recording).where(Recording.sha256 == sha256))
        if found is None:
            return None
        rows = session.execute(clips.where(Clip.recording_id == found.id)).all()
    return StoredRecording(
        recording_id=found.id,
        sha256=found.sha256,
        file_name=found.file_name,
        channel_count=found.channel_count,
        duration_s=found.duration_s,
        uploaded_at=found.uploaded_at,
        media_path=found.media_path,
        clips=tuple(StoredClip(*row) for row in rows),  # type: ignore[arg-type]  # roles are constrained
    )


def _channel(clip: NewClip) -> saving.Channel:
    return (clip.recording.sha256, clip.channel)
