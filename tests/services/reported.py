"""A call of two voices, and an agent's weeks, with scores that are known, to make reports of."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.services import alerting
from emostore.store.session import Store
from emostore.store.writing import clips, records

NOW = datetime(2026, 3, 31, 6, 5, tzinfo=UTC)
SIX = records.ModelRevisionKey("six", "abcdef123456", 2, (*EMOTIONS[:5], "sad"), "none")
ANGRY = np.array([3, 2.5, 0, 0, 1, -np.inf, 0, -np.inf, -np.inf], np.float32)
CALM = np.array([0, 0, 0, 2, 3, -np.inf, 0, -np.inf, -np.inf], np.float32)
WINDOWS = np.concatenate([np.tile(CALM, (12, 1)), np.tile(ANGRY, (12, 1))])
LENGTH_S = 26.0  # of 24 windows of 3 s, one every second
SPEECH = {0: np.array([[0.0, 10.0]]), 1: np.array([[9.0, 26.0]])}  # of the two channels
NASTY = (
    "</title><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)> {{ 7*7 }} {% raw %} {message} %s',
    '=HYPERLINK("http://x")',
    "\u202egnp.exe \u2067مكالمة 😀 <bdo dir=rtl>",
    "</style><style>*{display:none}</style><!-- ]]>",
)


def save_call(
    store: Store,
    name: str = "call.wav",
    *,
    happened_at: datetime = NOW,
    moods: dict[str, np.ndarray] | None = None,
    windows: bool = True,
    **about: Any,
) -> list[int]:
    """Store a recording with an agent's calm voice and an angry customer's, and give the ids of its clips."""
    moods = moods or {"agent": CALM, "customer": ANGRY}
    recording = records.NewRecording(
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        file_name=name,
        byte_count=10,
        duration_s=LENGTH_S,
        sample_rate=8000,
        channel_count=len(moods),
        container="wav",
        codec="pcm_mulaw",
        uploaded_at=NOW,
        happened_at=happened_at,
        happened_at_source="given",
        scenario="customer_service",
        notes=(records.Note("The sample rate changes inside the recording; it was followed."),),
    )
    rules, saved = alerting.active_rules(store), []
    for channel, (role, logits) in enumerate(moods.items()):
        scores = EmotionScores.from_logits(logits.tolist())
        moving = records.NewWindows(WINDOWS if role == "customer" else np.tile(logits, (24, 1)), 1.0, 3.0)
        outcome = records.Analysed(logits, scores, moving if windows else None, np.zeros(2, np.float32))
        given: dict[str, Any] = {"role": role, "segments": SPEECH.get(channel), "agent": "Ana", "team": "Blue", **about}
        clip = records.NewClip(recording, channel, LENGTH_S, 20.0, **given)
        raised = alerting.raised(rules, scores, role=clip.role, speech_s=20.0, windows=None, classes=SIX.classes)
        saved.append(records.NewAnalysis(clip, SIX, outcome, NOW, alerts=raised))
    return [each.clip_id for each in clips.save_many(store, saved)]


def save_weeks(store: Store, weeks: int = 3) -> None:
    """Ana of team Blue has an angry and a calm customer every week, and Bob calm ones."""
    for week in range(weeks):
        for number in range(2):
            when = NOW - timedelta(7 * week, hours=number)
            mood = {"customer": ANGRY if number else CALM}
            save_call(store, f"a{week}{number}.wav", happened_at=when, moods=mood, windows=False, segments=None)
            calm = {"customer": CALM}
            save_call(
                store, f"b{week}{number}.wav", happened_at=when, moods=calm, windows=False, segments=None, agent="Bob"
            )
