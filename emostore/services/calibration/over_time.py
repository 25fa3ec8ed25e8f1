"""Scores over time, read under the same calibration as the scores of their clip.

Windows are stored as the model's logits, so that a calibration which comes into use holds for them at once. They have
no embeddings: a stage that reads these leaves them out (`Calibration.for_windows`), which `left_out` says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emostore.analytics.calibration import RAW, Calibration, apply
from emostore.analytics.trajectory import Trajectory, speech_mask, window_scores
from emostore.i18n import N_, Sentence
from emostore.store.calibration.calibrations import CalibrationView

Reader = Callable[[int | None], Calibration]  # of the calibration that scores are read under; None is raw


def reader(find: Callable[[int], CalibrationView]) -> Reader:
    """Calibrations by their ids, each looked for by `find` when it is first asked for, and then remembered."""

    @cache
    def read(calibration_id: int | None) -> Calibration:
        return RAW if calibration_id is None else Calibration.from_data(find(calibration_id).parameters)

    return read


def scores(logits: ArrayLike, calibration: Calibration = RAW) -> NDArray[np.float64]:
    """Scores (windows, 9) of window logits, as precise as they are stored; −inf gives exactly 0.

    Every row needs a finite logit.
    """
    stored = np.asarray(logits, np.float16).astype(np.float32)
    stages = calibration.for_windows()
    return window_scores(stored) if stages.is_raw else apply(stages, stored)


def trajectory(
    logits: ArrayLike,
    hop_s: float,
    length_s: float,
    segments: NDArray[np.float64] | None = None,
    calibration: Calibration = RAW,
) -> Trajectory:
    """Window logits (windows, 9) as everybody looks at them: under the calibration that their clip is read under.

    Windows without speech are not scored, where it is known by `segments` (see `speech_mask`).
    """
    found = scores(logits, calibration)
    mask = None if segments is None else speech_mask(segments, len(found), hop_s, length_s)
    return Trajectory(found, hop_s, length_s, mask)  # type: ignore[arg-type]  # without a mask all are scored


def left_out(calibration: Calibration, domain: str | None) -> Sentence | None:
    """What the windows of a clip of this domain have no part in, in a sentence; None where they have a part in all."""
    if calibration.trained is None and domain not in calibration.heads:
        return None
    if calibration.for_windows().is_raw:
        return Sentence(
            N_(
                "The calibration reads the embedding of the whole clip, which moments do not have: scores over time, "
                "and alerts about moments, are as the model gave them."
            )
        )
    return Sentence(
        N_(
            "One stage of the calibration reads the embedding of the whole clip, which moments do not have: scores "
            "over time, and alerts about moments, are without that stage."
        )
    )
