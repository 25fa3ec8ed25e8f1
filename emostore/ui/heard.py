"""What a voice is said to sound like: its strongest emotion, unless that is uncertain."""

from __future__ import annotations

import streamlit as st

from emostore.emotions import EmotionScores, is_uncertain
from emostore.ui.bootstrap import uncertain_below
from emostore.ui.text import _, emotion


def named(scores: EmotionScores | None) -> str:
    """The strongest emotion as a label; of a clip without scores, that nobody speaks."""
    return _("no speech") if scores is None else strongest(scores.dominant, scores.confidence)


def strongest(dominant: str, confidence: float) -> str:
    """An emotion as a label, or that it is uncertain; `confidence` is its score."""
    name = emotion(dominant)
    return _("uncertain ({emotion})", emotion=name) if doubtful(confidence) else name


def doubtful(confidence: float | None) -> bool:
    """Whether a result with this highest score is called uncertain; one without scores is not."""
    return confidence is not None and is_uncertain(confidence, uncertain_below())


def badge(*results: EmotionScores | None) -> None:
    """A badge where one of the results is uncertain."""
    if any(scores is not None and doubtful(scores.confidence) for scores in results):
        st.badge(_("uncertain"), icon=":material/question_mark:", color="orange")
