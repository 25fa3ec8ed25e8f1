"""Labels: kept per rater with their history, picked by a queue, read from lists, and fitted on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from emostore.analytics import reliability
from emostore.analytics.calibration.fitting import Options
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import MetadataError, SettingsError
from emostore.services.calibration import calibrating, fitting, label_list, labelling
from emostore.services.metadata.sidecar import MAX_PROBLEMS
from emostore.store import audit
from emostore.store.calibration import calibrations, label_reading, labels
from emostore.store.calibration.labels import NewLabel
from emostore.store.session import Store
from emostore.store.tables.models import Clip, Score
from emostore.store.writing import clips, edits
from tests.store.samples import MODEL, OTHER_MODEL, analysis, recording

NINE = replace(MODEL, classes=EMOTIONS)
KEY = (NINE.name, NINE.revision)


def fill(store: Store, count: int = 6, **about: Any) -> list[int]:
    """Clips with different logits, each in its own session; their ids."""
    rng = np.random.default_rng(1)
    made = []
    for i in range(count):
        logits = (3 * rng.standard_normal(9)).astype(np.float32)
        outcome = clips.Analysed(logits, EmotionScores.from_logits(logits.tolist()))
        made.append(analysis(f"c{i}", outcome=outcome, model=NINE, recording=recording(f"c{i}"), **about))
    return [each.clip_id for each in clips.save_many(store, made)]


def told(store: Store) -> list[dict[str, Any]]:
    return [dict(row.details) for row in reversed(audit.page(store).rows) if row.details.get("what") == "label"]


def put(store: Store, clip_id: int, rater: str, emotion: str, **more: Any) -> None:
    labelling.save_many(store, {(clip_id, rater): NewLabel(emotion, **more)})


def test_a_rater_has_one_label_of_a_clip_and_its_history_is_kept(store: Store) -> None:
    first, second, *_ = fill(store)
    labelling.save(store, first, NewLabel("angry", "surprised", 4, " loud \n at the end ", "random"))
    mine = labelling.mine(store, first)
    assert mine is not None
    assert mine.label == NewLabel("angry", "surprised", 4, "loud\nat the end", "random")
    labelling.save(store, first, NewLabel("sad"))
    labelling.save(store, first, NewLabel("sad"))  # nothing new, so nothing to tell
    put(store, first, "Bo", "cannot_tell")
    assert {(each.rater, each.label.emotion) for each in labels.of_clip(store, first)} > {("Bo", "cannot_tell")}
    assert labels.counts(store) == labels.LabelCounts(2, 1, 2, 0)
    labelling.remove(store, first)
    assert labelling.mine(store, first) is None
    with pytest.raises(MetadataError):
        labelling.remove(store, first)
    history = told(store)
    assert [(each["from"] or {}).get("emotion") for each in history] == [None, "angry", None, "sad"]
    assert [(each["to"] or {}).get("emotion") for each in history] == ["angry", "sad", "cannot_tell", None]
    assert labels.of_clip(store, second) == ()
    with edits.changing(store) as session:
        delete_clip(session, first)
    assert labels.of_clip(store, first) == ()
    with pytest.raises(MetadataError, match="no such clip"):
        labelling.save(store, first, NewLabel("sad"))


def delete_clip(session: Any, clip_id: int) -> None:
    session.delete(session.get(Clip, clip_id))


@pytest.mark.parametrize(
    "label",
    [
        NewLabel("bored"),
        NewLabel("sad", "bored"),
        NewLabel("sad", "sad"),
        NewLabel("cannot_tell", "sad"),
        NewLabel("sad", intensity=0),
        NewLabel("sad", intensity=6),
        NewLabel("sad", comment="x" * 2001),
        NewLabel("sad", reason="mood"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_label_is_refused(sqlite_store: Store, label: NewLabel) -> None:
    with pytest.raises(MetadataError):
        labelling.save(sqlite_store, 1, label)


def test_the_queue_picks_what_teaches_most_and_never_what_is_labelled(store: Store) -> None:
    ids = fill(store, 12)
    with store.reading() as session:
        sure = dict(session.execute(select(Score.clip_id, Score.confidence)).all())  # type: ignore[arg-type]
        dominant = dict(session.execute(select(Score.clip_id, Score.dominant)).all())  # type: ignore[arg-type]
    uncertain = list(labelling.queue(store, "uncertain", 4, KEY))
    assert uncertain == sorted(ids, key=lambda each: sure[each])[:4]
    put(store, ids[0], "Bo", dominant[ids[0]])  # agrees with the model
    put(store, ids[1], "Bo", next(name for name in EMOTIONS if name != dominant[ids[1]]))
    put(store, ids[2], "Bo", dominant[ids[2]])
    put(store, ids[2], "Cy", next(name for name in EMOTIONS if name != dominant[ids[2]]))
    assert list(labelling.queue(store, "disagreeing")) == [ids[2], ids[1]]
    labelling.save(store, uncertain[0], NewLabel("sad", reason="uncertain"))
    assert uncertain[0] not in labelling.queue(store, "uncertain", 12)
    assert labelling.queue(store, "random", 5, seed=3) == labelling.queue(store, "random", 5, seed=3)
    assert set(labelling.queue(store, "random", 50)) == set(ids) - {uncertain[0]}
    assert labelling.queue(store, "random", 5, ("none", "0")) == []
    with pytest.raises(MetadataError):
        labelling.queue(store, "best")  # type: ignore[arg-type]


def test_every_clip_is_as_likely_to_be_drawn_also_behind_a_gap(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "_FEW", 0)
    ids = fill(sqlite_store, 30)
    with edits.changing(sqlite_store) as session:
        for each in ids[5:25]:
            delete_clip(session, each)
    left = ids[:5] + ids[25:]
    drawn = [labelling.queue(sqlite_store, "random", 1, seed=seed)[0] for seed in range(400)]
    counts = [drawn.count(each) for each in left]
    assert sum(counts) == 400
    assert min(counts) > 15
    assert max(counts) < 75


def test_raters_agree_as_far_as_they_do(store: Store) -> None:
    ids = fill(store, 4)
    for clip_id, verdicts in zip(ids, ("sad sad", "angry angry", "happy sad", "neutral cannot_tell"), strict=True):
        for rater, verdict in zip(("Bo", "Cy"), verdicts.split(), strict=True):
            put(store, clip_id, rater, verdict)
    found = labelling.agreement(store)
    assert found.clips == 3
    assert found.alpha == pytest.approx(1 - 5 * 2 / (36 - 9 - 4 - 1))  # by hand: 3 sad, 2 angry, 1 happy
    assert labels.majority(["sad", "sad", "angry"]) == "sad"
    assert labels.majority(["sad", "angry"]) is None
    assert labels.majority(["cannot_tell"]) is None


def test_a_list_is_checked_before_anything_is_saved(store: Store) -> None:
    ids = fill(store, 4)
    put(store, ids[0], "Bo", "sad", reason="imported")
    text = (
        "clip,file,emotion,second,intensity,rater,comment\n"
        f"{ids[0]},,sad,,,Bo,\n"  # is there already
        f"{ids[1]},,生气,Surprised,4,Bo,so loud\n"
        ",c2.wav,cannot tell,,,Cy,\n"
        ",none.wav,sad,,,,\n"
        f"{ids[3]},,bored,,,,\n"
        f"{ids[3]},,happy,,seven,,\n"
        "9999,,happy,,,,\n"
        f"{ids[1]},,sad,,,Bo,\n"
        f"{ids[3]},,,,,,\n"
    )
    found = label_list.check(store, text.encode("utf-8-sig"))
    assert (found.new, found.changed, len(found.labels), len(found.problems)) == (2, 0, 3, 6)
    assert [each.params["line"] for each in found.problems] == [5, 6, 7, 8, 9, 10]
    assert labels.counts(store).labels == 1
    label_list.save(store, found)
    assert labels.counts(store).labels == 3
    loud = labels.of_clip(store, ids[1])[0]
    assert (loud.rater, loud.label) == ("Bo", NewLabel("angry", "surprised", 4, "so loud", "imported"))
    again = label_list.check(store, text.encode())
    assert (again.new, again.changed) == (0, 0)
    assert label_list.check(store, f"clip;emotion;rater\n{ids[1]};sad;Bo\n".encode()).changed == 1


def test_a_file_is_known_by_the_end_of_its_name(store: Store) -> None:
    """Lists seldom name the folders of an upload, or name one more than it had."""
    names = ("ann/1.wav", "bob/1.wav", "bob/2.wav", "3.wav", "12.wav")
    clips.save_many(store, [analysis(name, recording=recording(name, file_name=name)) for name in names])
    found = label_reading.find_clips(
        store,
        {("1.wav", None), ("ann/1.wav", None), ("2.wav", 0), ("2.wav", 1), ("call/3.wav", None), ("eva/2.wav", 0)},
    )
    ids = {name: label_reading.find_clips(store, {(name, None)})[name, None] for name in names}
    assert sorted(found["1.wav", None]) == sorted(ids["ann/1.wav"] + ids["bob/1.wav"])
    assert found["ann/1.wav", None] == ids["ann/1.wav"]
    assert found["2.wav", 0] == ids["bob/2.wav"]
    assert found["call/3.wav", None] == ids["3.wav"]
    assert not {("2.wav", 1), ("eva/2.wav", 0)} & found.keys()


def test_a_list_that_contradicts_itself_labels_nothing(sqlite_store: Store) -> None:
    ids = fill(sqlite_store, 2)
    found = label_list.check(sqlite_store, f"clip,file,emotion\n{ids[0]},c1.wav,sad\n{ids[1]},c1.wav,sad\n".encode())
    assert (list(found.labels), found.refused) == ([(ids[1], "local")], 1)
    with pytest.raises(MetadataError, match="more than one column for emotion"):
        label_list.check(sqlite_store, b"clip,emotion,label\n1,sad,angry\n")


def test_every_refused_row_is_counted_though_not_each_is_told(sqlite_store: Store) -> None:
    found = label_list.check(sqlite_store, b"clip,emotion\n" + b"77,sad\n" * 300)
    assert found.refused == 300
    assert len(found.problems) == MAX_PROBLEMS + 1


@pytest.mark.parametrize(
    ("change", "error", "verdict"),
    [
        ((-0.2, -0.3, -0.1), 0.05, "better"),
        ((-0.2, -0.5, 0.1), 0.05, "perhaps"),
        ((-0.2, -0.3, -0.1), 0.15, "mixed"),
        ((-0.2, -0.5, 0.1), 0.15, "mixed"),
        ((0.1, -0.1, 0.3), 0.05, "nothing"),
        ((0.2, 0.1, 0.3), 0.05, "worse"),
    ],
)
def test_a_loss_that_falls_is_no_praise_if_confidence_says_less(
    change: tuple[float, float, float], error: float, verdict: str
) -> None:
    before = reliability.figures(np.full((2, 9), 1 / 9), [0, 1])
    trial = fitting.Trial(
        ("nine", "1"),
        Options(),
        None,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        replace(before, ece=0.1),
        replace(before, ece=error),
        change,
        (),
    )
    assert trial.verdict == verdict


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_list_is_read_as_excel_saves_it(sqlite_store: Store, encoding: str) -> None:
    (clip_id,) = fill(sqlite_store, 1)
    found = label_list.check(sqlite_store, f"片段,情绪\n{clip_id},生气\n".encode(encoding))
    assert [label.emotion for label in found.labels.values()] == ["angry"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a,b\n1,2\n",
        b"clip\n1\n",
        b"emotion\nsad\n",
        b"\xff\xfe\x00",
        pytest.param(b"emotion,clip\n" + b"x" * label_list.MAX_BYTES, id="too large"),
    ],
)
def test_what_is_no_list_of_labels_is_refused(sqlite_store: Store, data: bytes) -> None:
    with pytest.raises(MetadataError):
        label_list.check(sqlite_store, data)


def test_labels_become_a_calibration_that_others_can_check(store: Store) -> None:
    """A model three times too sure of itself, heard by two raters."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 5, 150)
    logits = (3 * (2.0 * np.eye(9)[truth] + rng.standard_normal((150, 9)))).astype(np.float32)
    made = [
        analysis(
            f"c{i}",
            outcome=clips.Analysed(row, EmotionScores.from_logits(row.tolist())),
            model=NINE,
            recording=recording(f"c{i}", domain=("phone", "room")[i % 2], language=("en", "zh")[i % 2]),
            session_name=f"s{i // 3}",
        )
        for i, row in enumerate(logits)
    ]
    ids = [each.clip_id for each in clips.save_many(store, made)]
    given = {(clip_id, "Bo"): NewLabel(EMOTIONS[y], reason="random") for clip_id, y in zip(ids, truth, strict=True)}
    given[ids[0], "Cy"] = NewLabel("unknown", reason="random")  # divided: left out
    labelling.save_many(store, given)
    trial = fitting.try_out(store, KEY, Options())
    assert trial.sample.divided == 1
    assert len(trial.sample.reasons) == 149
    scaling = trial.fitted.calibration.scaling
    assert scaling is not None
    assert 1.2 < (scaling.temperature or 0) < 3.5
    assert trial.after.nll < trial.before.nll - 0.02
    assert trial.nll_change[0] == pytest.approx(trial.after.nll - trial.before.nll)
    assert trial.nll_change[2] < 0
    part = trial.part(domain="phone")
    assert part is not None
    assert part[0].count == 74
    assert trial.part(language="fr") is None
    assert len(trial.cautions) == 1  # few labels
    identifier = fitting.keep(store, "mine", trial)
    view = calibrations.get(store, identifier)
    assert view.fitted_on["labels"] == 149
    assert view.fitted_on["reasons"] == {"random": 149}
    assert view.metrics["after"]["nll"] == trial.after.nll
    assert calibrating.parsed(view) == trial.fitted.calibration
    with pytest.raises(SettingsError):
        fitting.try_out(store, KEY, Options("best", "room"))  # the model never gave its head
    with pytest.raises(MetadataError):
        fitting.try_out(store, (OTHER_MODEL.name, OTHER_MODEL.revision), Options())
