"""Saving and finding again: the same contract on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import numpy as np
import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import MetadataError
from emostore.store.reports import reports
from emostore.store.session import Store
from emostore.store.tables import models
from emostore.store.writing import bulk, clips
from tests.store.samples import LOGITS, MODEL, NOON, OTHER_MODEL, analysed, analysis, recording, row_counts, sha


def test_everything_that_is_saved_comes_back_as_it_was(store: Store) -> None:
    note = clips.Note("{count} samples were clipped.", {"count": 3})
    source = recording(media_path="audio/ab/cd.ogg", notes=(note,), happened_at_source="metadata")
    saved = clips.save(
        store,
        analysis(
            recording=source,
            role="customer",
            agent="Ann",
            team="North",
            session_name="Lesson 1",
            speech_s=3.5,
            compute_s=0.25,
        ),
    )
    view = reports.clip_view(store, saved.clip_id)
    assert view is not None
    for name in ("sha256", "file_name", "byte_count", "sample_rate", "channel_count", "container", "codec"):
        assert getattr(view, name) == getattr(source, name)
    assert (view.uploaded_at, view.happened_at, view.happened_at_source) == (NOON, source.happened_at, "metadata")
    assert (view.media_path, view.notes, view.recording_duration_s) == ("audio/ab/cd.ogg", (note,), 4.0)
    assert (view.channel, view.role, view.duration_s, view.speech_s) == (0, "customer", 4.0, 3.5)
    assert (view.agent, view.team, view.session_name) == ("Ann", "North", "Lesson 1")
    newest = view.newest
    assert newest is not None
    assert (newest.model, newest.revision, newest.licence, newest.classes) == (
        "baseline",
        "0123abcd",
        "Apache-2.0",
        EMOTIONS[:5],
    )
    assert newest.missing == EMOTIONS[5:]
    assert (newest.status, newest.no_speech_reason, newest.compute_s) == ("analysed", None, 0.25)
    assert (newest.calibration, newest.calibration_version) == ("raw", 1)
    assert newest.scores == EmotionScores.from_logits(LOGITS)
    assert newest.scores["sad"] == 0
    assert (newest.window_count, newest.window_hop_s, newest.window_length_s) == (2, 1.0, 3.0)


def test_logits_windows_and_embedding_keep_every_bit_that_their_type_has(store: Store) -> None:
    outcome = analysed()
    assert outcome.windows is not None
    assert outcome.embedding is not None
    saved = clips.save(store, analysis(outcome=outcome))
    with store.reading() as session:
        logits = session.scalar(select(models.Analysis.logits).where(models.Analysis.id == saved.analysis_id))
        vector = session.scalar(select(models.Embedding.vector))
    windows = reports.window_logits(store, saved.analysis_id)
    assert logits is not None
    assert logits.dtype == np.float32
    assert logits.tobytes() == LOGITS.tobytes()
    assert vector is not None
    assert vector.dtype == np.float16
    assert np.array_equal(vector, outcome.embedding.astype(np.float16))
    assert windows is not None
    assert windows.logits.dtype == np.float32
    assert np.array_equal(windows.logits, outcome.windows.logits.astype(np.float16).astype(np.float32))


def test_a_time_in_any_zone_comes_back_as_the_same_moment_in_utc(store: Store) -> None:
    shanghai = NOON.astimezone(timezone(timedelta(hours=8)))
    saved = clips.save(store, analysis(recording=recording(happened_at=shanghai)))
    view = reports.clip_view(store, saved.clip_id)
    assert view is not None
    assert view.happened_at == NOON
    assert view.happened_at.utcoffset() == timedelta(0)


def test_a_clip_without_speech_has_a_reason_and_no_scores(store: Store) -> None:
    saved = clips.save(store, analysis(outcome=clips.NoSpeech("silence")))
    view = reports.clip_view(store, saved.clip_id)
    assert view is not None
    assert view.newest is not None
    assert (view.newest.status, view.newest.no_speech_reason, view.newest.scores) == ("no_speech", "silence", None)
    assert view.newest.window_count == 0
    assert reports.window_logits(store, saved.analysis_id) is None
    assert not {"scores", "embeddings"} & row_counts(store).keys()


def test_saving_twice_stores_once_and_says_so(store: Store) -> None:
    first = clips.save(store, analysis())
    before = row_counts(store)
    second = clips.save(store, analysis())
    assert (first.created, first.clip_created, second.created, second.clip_created) == (True, True, False, False)
    assert (second.clip_id, second.analysis_id, second.session_id) == (
        first.clip_id,
        first.analysis_id,
        first.session_id,
    )
    assert row_counts(store) == before


def test_a_stored_clip_keeps_its_agent_role_and_session_and_answers_with_them(store: Store) -> None:
    clips.save(store, analysis(agent="Ann", team="North", role="agent", session_name="Monday"))
    before = row_counts(store)
    again = clips.save(store, analysis(agent="Bob", team="South", role="customer", session_name="Tuesday"))
    assert (again.agent, again.team, again.role, again.session_name) == ("Ann", "North", "agent", "Monday")
    assert row_counts(store) == before  # no Bob, no South, no Tuesday either


def test_another_model_adds_an_analysis_to_the_same_clip_and_the_newest_is_shown_first(store: Store) -> None:
    first = clips.save(store, analysis())
    second = clips.save(store, analysis(model=OTHER_MODEL, analysed_at=NOON + timedelta(days=1), agent="Bob"))
    assert (second.clip_id, second.created, second.clip_created, second.agent) == (first.clip_id, True, False, None)
    view = reports.clip_view(store, first.clip_id)
    assert view is not None
    assert [each.model for each in view.analyses] == ["emotion2vec_plus_large", "baseline"]
    assert reports.count_clips(store) == 1


def test_a_model_described_in_two_ways_in_one_call_is_one_model(store: Store) -> None:
    described_otherwise = replace(MODEL, licence="unknown")
    answers = clips.save_many(store, [analysis("a"), analysis("b", model=described_otherwise)])
    assert [answer.created for answer in answers] == [True, True]
    assert row_counts(store)["model_revisions"] == 1


def test_two_channels_are_two_clips_of_one_recording_and_one_session(store: Store) -> None:
    left, right = clips.save_many(store, [analysis(channel=0, role="agent"), analysis(channel=1, role="customer")])
    assert left.clip_id != right.clip_id
    assert left.session_id == right.session_id
    view = reports.clip_view(store, right.clip_id)
    assert view is not None
    assert view.siblings == ((0, left.clip_id), (1, right.clip_id))


def test_a_channel_added_later_takes_the_time_that_is_stored(store: Store) -> None:
    clips.save(store, analysis(channel=0))
    clips.save(store, analysis(channel=1, recording=recording(happened_at=NOON + timedelta(days=9))))
    page = reports.latest_clips(store)
    assert {row.happened_at for row in page.rows} == {recording().happened_at}


def test_the_same_analysis_twice_in_one_call_is_new_only_once(store: Store) -> None:
    answers = clips.save_many(store, [analysis("a", agent="Ann"), analysis("b"), analysis("a", agent="Bob")])
    assert [answer.created for answer in answers] == [True, True, False]
    assert [answer.clip_created for answer in answers] == [True, True, False]
    assert answers[0].analysis_id == answers[2].analysis_id
    assert answers[2].agent == "Ann"


def test_answers_come_in_the_order_asked(store: Store) -> None:
    names = [f"call {number}" for number in (5, 3, 9, 1, 7)]
    clips.save_many(store, [analysis(name) for name in names[2:4]])
    answers = clips.save_many(store, [analysis(name) for name in names])
    assert [answer.created for answer in answers] == [True, True, False, False, True]
    assert [answer.session_name for answer in answers] == names


def test_saving_nothing_answers_nothing(store: Store) -> None:
    assert clips.save_many(store, []) == []


def test_sessions_are_one_if_their_names_differ_only_in_case_and_spaces(store: Store) -> None:
    first = clips.save(store, analysis("a", session_name="  Team   Meeting "))
    second = clips.save(store, analysis("b", session_name="team MEETING"))
    assert first.session_id == second.session_id
    assert second.session_name == "Team Meeting"


def test_a_session_named_like_a_file_is_not_the_session_of_that_file(store: Store) -> None:
    alone = clips.save(store, analysis("lesson"))
    named = clips.save(store, analysis("other", session_name="lesson"))
    assert alone.session_name == named.session_name == "lesson"
    assert alone.session_id != named.session_id


def test_a_team_is_set_for_an_agent_who_has_none(store: Store) -> None:
    clips.save(store, analysis("a", agent="Ann"))
    assert clips.save(store, analysis("b", agent="Ann", team="North")).team == "North"
    assert clips.save(store, analysis("c", agent="Ann")).team == "North"


def test_an_agent_is_not_moved_to_another_team(store: Store) -> None:
    clips.save(store, analysis("a", agent="Ann", team="North"))
    before = row_counts(store)
    with pytest.raises(MetadataError, match="Agent Ann belongs to team North, not South"):
        clips.save(store, analysis("b", agent="Ann", team="South"))
    assert row_counts(store) == before


def test_one_item_that_fails_leaves_no_row_of_the_others(store: Store) -> None:
    with pytest.raises(MetadataError, match="Agent Ann belongs to team North, not South"):
        clips.save_many(store, [analysis("a", agent="Ann", team="North"), analysis("b", agent="Ann", team="South")])
    assert row_counts(store) == {}


def test_a_failure_in_the_last_step_leaves_no_row(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the machine stops here")

    monkeypatch.setattr(bulk, "add", fail)
    with pytest.raises(RuntimeError, match="stops here"):
        clips.save_many(store, [analysis("a"), analysis("b")])
    assert row_counts(store) == {}


def test_a_recording_is_found_by_its_bytes_with_what_each_model_has_done(store: Store) -> None:
    assert clips.find_recording(store, sha("call")) is None
    left = clips.save(store, analysis(channel=0, agent="Ann", role="agent"))
    right = clips.save(store, analysis(channel=1, model=OTHER_MODEL))
    found = clips.find_recording(store, sha("call"), MODEL)
    assert found is not None
    assert (found.file_name, found.channel_count, found.uploaded_at) == ("call.wav", 2, NOON)
    assert [(each.clip_id, each.analysis_id, each.status) for each in found.clips] == [
        (left.clip_id, left.analysis_id, "analysed"),
        (right.clip_id, None, None),
    ]
    assert (found.clips[0].agent, found.clips[0].role, found.clips[0].session_name) == ("Ann", "agent", "call")
    unasked = clips.find_recording(store, sha("call"))
    assert unasked is not None
    assert [each.analysis_id for each in unasked.clips] == [None, None]


def test_deleting_a_recording_takes_its_clips_and_results_and_leaves_people_and_models(store: Store) -> None:
    clips.save_many(store, [analysis("a", agent="Ann"), analysis("b", agent="Ann")])
    with store.transaction() as session:
        session.execute(delete(models.Recording).where(models.Recording.sha256 == sha("a")))
    counts = row_counts(store)
    assert {counts[name] for name in ("recordings", "clips", "analyses", "scores", "embeddings")} == {1}
    assert (counts["agents"], counts["model_revisions"], counts["calibrations"]) == (1, 1, 1)


def test_forgetting_an_agent_keeps_the_clip_without_a_name(store: Store) -> None:
    saved = clips.save(store, analysis(agent="Ann"))
    with store.transaction() as session:
        session.execute(delete(models.Agent))
    view = reports.clip_view(store, saved.clip_id)
    assert view is not None
    assert view.agent is None


@pytest.mark.parametrize("model", [models.RecordingSession, models.ModelRevision, models.Calibration])
def test_what_stored_clips_need_cannot_be_deleted(store: Store, model: type[models.Base]) -> None:
    clips.save(store, analysis())
    with pytest.raises(IntegrityError), store.transaction() as session:
        session.execute(delete(model))
    assert row_counts(store)["clips"] == 1


def test_a_model_without_analyses_goes_with_its_calibrations(store: Store) -> None:
    clips.save(store, analysis())
    with store.transaction() as session:
        session.execute(delete(models.Recording))
        session.execute(delete(models.ModelRevision))
    assert not {"calibrations", "active_calibrations"} & row_counts(store).keys()


def test_reports_read_the_scores_of_the_active_calibration_only(store: Store) -> None:
    saved = clips.save(store, analysis())
    certain = [1.0, *[0.0] * 8]
    with store.transaction() as session:
        model_id = session.scalar(select(models.ModelRevision.id))
        assert model_id is not None
        flat = models.Calibration(model_revision_id=model_id, version=2, name="flat", parameters={}, created_at=NOON)
        session.add(flat)
        session.flush()
        figures = {"dominant": "angry", "confidence": 1.0, "entropy": 0.0}
        scores = dict(zip(EMOTIONS, certain, strict=True))
        about = {"analysis_id": saved.analysis_id, "clip_id": saved.clip_id, "happened_at": NOON}
        session.add(models.Score(calibration_id=flat.id, **about, **scores, **figures))
        flat_id = flat.id
    for calibration, version in ((None, 1), (flat_id, 2)):
        if calibration:
            with store.transaction() as session:
                session.execute(update(models.ActiveCalibration).values(calibration_id=calibration))
        view = reports.clip_view(store, saved.clip_id)
        assert view is not None
        assert len(view.analyses) == 1
        assert view.analyses[0].calibration_version == version
        row = reports.latest_clips(store).rows[0]
        assert row.scores == view.analyses[0].scores
        assert row.scores is not None
        assert (row.scores["angry"] == 1) is (version == 2)
