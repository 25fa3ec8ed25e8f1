"""A head trained on labels: from the labels to scores that everybody reads, and back to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from emostore.analytics.alerts import AlertRule
from emostore.analytics.calibration import apply
from emostore.analytics.calibration.fitting import Options
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import SettingsError
from emostore.services.calibration import calibrating, fitting, labelling, masked
from emostore.services.views import watching
from emostore.store.calibration import calibrations
from emostore.store.calibration.labels import NewLabel
from emostore.store.session import Store
from emostore.store.tables.models import Analysis, Embedding, Score
from emostore.store.writing import clips
from tests.store.samples import MODEL, OTHER_MODEL, analysis

NINE = replace(MODEL, classes=EMOTIONS[:8])
KEY = (NINE.name, NINE.revision)
OTHER = (OTHER_MODEL.name, OTHER_MODEL.revision)
HEARD = (0, 3, 4)
TRAINED = Options(trained=True)


def save(
    store: Store, count: int, model: clips.ModelRevisionKey = NINE, *, first: int = 0, mute: Sequence[int] = ()
) -> tuple[list[int], NDArray[np.int64]]:
    """Clips whose embeddings tell what is heard in them and whose logits do not, and what is heard.

    Those at the places `mute` have no embedding.
    """
    rng = np.random.default_rng(first)
    heard = rng.choice(HEARD, count)
    means = np.random.default_rng(99).standard_normal((9, model.dim)) * 1.5
    made = []
    for number in range(count):
        logits = (3 * rng.standard_normal(9)).astype(np.float32)
        logits[8] = -np.inf
        vector = (means[heard[number]] + rng.standard_normal(model.dim)).astype(np.float32)
        scores = EmotionScores.from_logits(logits.tolist())
        outcome = clips.Analysed(logits, scores, None, None if number in mute else vector)
        name = f"{model.name} {first + number}"
        made.append(analysis(name, outcome=outcome, model=model, session_name=f"s{(first + number) // 3}"))
    return [each.clip_id for each in calibrating.save_many(store, made)], heard


def label(store: Store, ids: Sequence[int], heard: NDArray[np.int64]) -> None:
    given = {(key, "Bo"): NewLabel(EMOTIONS[y], reason="random") for key, y in zip(ids, heard.tolist(), strict=True)}
    labelling.save_many(store, given)


def activate(store: Store, identifier: int) -> None:
    calibrating.activate(store, identifier)
    calibrating.wait(store, 60)
    assert calibrating.progress(store, identifier).done


def stored(store: Store, identifier: int) -> dict[int, tuple[float, ...]]:
    """Every row of a calibration, bit for bit, by clip."""
    columns = (Score.clip_id, *(getattr(Score, name) for name in EMOTIONS), Score.confidence, Score.entropy)
    with store.reading() as session:
        rows = session.execute(select(*columns).where(Score.calibration_id == identifier))
        return {row[0]: tuple(row[1:]) for row in rows}


def test_labels_become_a_head_that_is_read_and_rolled_back_to_the_bit(store: Store) -> None:
    ids, heard = save(store, 120, mute=(5, 50))
    label(store, ids[:90], heard[:90])
    label(store, ids[90:93], np.array([6, 6, 6]))  # too few to learn
    (raw,) = calibrations.listed(store, KEY)
    before = stored(store, raw.id)

    trial = fitting.try_out(store, KEY, replace(TRAINED, priors=True))
    assert trial.after.uar > trial.before.uar + 0.3
    assert trial.fitted.learnt is not None
    said = [str(each) for each in trial.cautions]
    assert "A head is learnt from 88 labels here" in said[-4]
    assert "fewer than 5 labels" in said[-3]
    assert "3 labels are of emotions that the trained head never gives" in said[-2]
    assert "2 labelled clips have no embedding" in said[-1]
    assert stored(store, raw.id) == before

    identifier = fitting.keep(store, "own", trial)
    view = calibrations.get(store, identifier)
    assert view.fitted_on["trained"] == {
        "labels": 88,
        "emotions": ["angry", "happy", "neutral"],
        "strength": trial.fitted.learnt.strength,
        "folds": 5,
    }
    assert (view.fitted_on["labels"], view.fitted_on["raters"]) == (93, 1)
    assert masked.of(store, KEY).untaught == ()
    activate(store, identifier)
    save(store, 4, first=120)  # scored while they are saved
    found, stages = stored(store, identifier), calibrating.parsed(view)
    with store.reading() as session:
        rows = session.execute(select(Analysis.clip_id, Analysis.logits, Embedding.vector).outerjoin(Embedding)).all()
    assert len(found) == len(rows) == 124
    for clip_id, logits, vector in rows:
        wanted = apply(stages, logits, None if vector is None else vector[None])[0]
        assert found[clip_id][:9] == pytest.approx(tuple(wanted), abs=1e-12)
        if vector is None:
            assert found[clip_id][:10] == before[clip_id][:10]
        else:
            assert {found[clip_id][place] for place in range(9) if place not in HEARD} == {0.0}  # exactly

    # What it was not taught is named as long as it is read.
    never = ("disgusted", "fearful", "other", "sad", "surprised")
    assert masked.of(store, KEY).untaught == masked.of(store, KEY).never == never
    used = watching.model_in_use(store)
    assert used is not None
    assert used.classes == ("angry", "happy", "neutral")
    assert watching.blindness(AlertRule("calm", ("sad",), "<", 0.1), used) is not None

    activate(store, raw.id)
    assert {key: row for key, row in stored(store, raw.id).items() if key in before} == before
    assert masked.of(store, KEY).never == ()


def test_no_model_learns_from_what_another_one_heard(store: Store) -> None:
    ids, heard = save(store, 60)
    label(store, ids, heard)
    others, heard = save(store, 60, OTHER_MODEL)
    label(store, others[:20], heard[:20])
    with pytest.raises(SettingsError, match="20 labels are too few to train a head"):
        fitting.try_out(store, OTHER, TRAINED)
    label(store, others[20:], heard[20:])
    trial = fitting.try_out(store, OTHER, TRAINED)
    assert trial.fitted.learnt is not None
    assert len(trial.fitted.learnt.held_out) == 60
    assert trial.fitted.learnt.head.dim == OTHER_MODEL.dim


def test_without_embeddings_or_with_one_emotion_there_is_no_head(store: Store) -> None:
    ids, heard = save(store, 60, mute=range(60))
    label(store, ids, heard)
    with pytest.raises(SettingsError, match="needs embeddings"):
        fitting.try_out(store, KEY, TRAINED)
    assert fitting.teaching(fitting.sample(store, KEY)).given == ()
    more, _ = save(store, 60, first=60)
    label(store, more, np.full(60, 3))  # of these alone a head can read the embeddings
    with pytest.raises(SettingsError, match="of each of two emotions; happy has"):
        fitting.try_out(store, KEY, TRAINED)
