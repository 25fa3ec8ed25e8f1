"""Leaving a calibration while it is being scored: what is read stays, and it can be taken up again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emostore.analytics.calibration import Calibration, Scaling
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.services.calibration import calibrating
from emostore.store import audit
from emostore.store.calibration import calibrations, rescoring
from emostore.store.session import Store
from emostore.store.writing import clips, edits
from tests.store.samples import MODEL, analysis

NINE = replace(MODEL, classes=EMOTIONS)
KEY = (NINE.name, NINE.revision)


def test_what_is_cancelled_is_not_read_and_can_be_taken_up_again(store: Store) -> None:
    logits = np.arange(9, dtype=np.float32)
    scored = clips.Analysed(logits, EmotionScores.from_logits(logits.tolist()))
    clips.save_many(store, [analysis(f"c{number}", outcome=scored, model=NINE) for number in range(6)])
    identifier = calibrating.create(store, KEY, "cool", Calibration(scaling=Scaling.of_temperature(3)))
    with edits.changing(store) as session:
        calibrations.begin(session, identifier)
    batch = rescoring.next_batch(store, identifier, 2)
    assert batch is not None

    assert calibrating.cancel(store, identifier)
    assert not calibrating.cancel(store, identifier)  # there is nothing left to leave
    assert not rescoring.save(store, identifier, batch, np.full((2, 9), 1 / 9))  # who was at it writes nothing more
    newest, raw = calibrations.listed(store, KEY)
    assert (newest.state, newest.active, raw.active) == ("ready", False, True)
    assert calibrations.unfinished(store) == ()
    assert [row.details["what"] for row in audit.page(store).rows] == ["cancelled", "created"]

    calibrating.activate(store, identifier)
    calibrating.wait(store, 60)
    assert calibrating.progress(store, identifier) == calibrating.Progress(6, 6, True)
    assert not calibrating.cancel(store, identifier)
    assert calibrations.get(store, identifier).active
