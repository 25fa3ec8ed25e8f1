"""Calls of agents for the pages of reports, each with scores of its own, saved as the service saves them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.services import alerting
from emostore.store.session import Store
from emostore.store.writing import clips, records

NOW = datetime.now(UTC).replace(microsecond=0)
MODEL = records.ModelRevisionKey("nine", "abcdef123456", 2, EMOTIONS, "none")
SIX = records.ModelRevisionKey("six", "fedcba654321", 2, (*EMOTIONS[:5], "sad"), "none")

CALM = {"neutral": 0.7, "happy": 0.2, "sad": 0.1}
GLAD = {"happy": 0.7, "surprised": 0.2, "neutral": 0.1}
ANGRY = {"angry": 0.5, "disgusted": 0.3, "neutral": 0.2}
ODD_NAME = "<b>**Zoë**</b> [a](javascript:alert(1)) $1$ :smile: 陈 😀 مريم"


def call(
    store: Store,
    name: str,
    scores: Mapping[str, float] = CALM,
    *,
    agent: str | None = "Ana",
    team: str | None = None,
    role: str = "customer",
    session: str | None = None,
    days_ago: float = 1.0,
    model: records.ModelRevisionKey = MODEL,
) -> int:
    """Store one call of a minute and give the id of its clip; the alert rules are asked about it."""
    happened_at = NOW - timedelta(days=days_ago)
    recording = records.NewRecording(
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        file_name=name,
        byte_count=10,
        duration_s=60.0,
        sample_rate=8000,
        channel_count=1,
        container="wav",
        codec="pcm_mulaw",
        uploaded_at=NOW,
        happened_at=happened_at,
        happened_at_source="given",
    )
    found = EmotionScores.from_raw(scores)
    with np.errstate(divide="ignore"):
        logits = np.log(np.array(found.vector)).astype(np.float32)
    raised = alerting.raised(
        alerting.active_rules(store),
        found,
        role=role,
        speech_s=60.0,
        windows=None,
        classes=model.classes,  # type: ignore[arg-type]
    )
    clip = records.NewClip(recording, 0, 60.0, 60.0, role=role, agent=agent, team=team, session_name=session)  # type: ignore[arg-type]
    analysis = records.NewAnalysis(clip, model, records.Analysed(logits, found), NOW, alerts=raised)
    return clips.save(store, analysis).clip_id


def calls(store: Store, agent: str, moods: Sequence[Mapping[str, float]], **about: str | float) -> list[int]:
    """A call of an agent for each mood, in sessions of their own, a day apart."""
    return [
        call(store, f"{agent} {number}.wav", mood, agent=agent, days_ago=number + 1, **about)  # type: ignore[arg-type]
        for number, mood in enumerate(moods)
    ]


def mixed(*moods: Mapping[str, float], share: float = 0.5) -> dict[str, float]:
    """A mood between two."""
    first, second = moods
    return {name: share * first.get(name, 0.0) + (1 - share) * second.get(name, 0.0) for name in EMOTIONS}


def varied(mood: Mapping[str, float], count: int) -> list[dict[str, float]]:
    """Moods around one, no two alike."""
    return [mixed(mood, CALM, share=0.6 + 0.35 * number / count) for number in range(count)]
