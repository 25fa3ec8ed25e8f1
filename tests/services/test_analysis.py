"""The way of a clip, with tones for voices and a model that answers at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emostore import access, audio, speech
from emostore.config import Settings
from emostore.errors import AccessError, ModelError
from emostore.services.analysis import Analyser, ClipResult, Progress, Source, Stage, Status
from emostore.services.metadata.descriptions import Description
from emostore.services.queue.job_views import description_as_json, description_from_json
from emostore.store import audit
from emostore.store.reports import reports
from emostore.store.session import Store
from emostore.store.writing import saving
from tests.audio_samples import real_audio, write_wav
from tests.services.conftest import LoudnessModel

pytestmark = pytest.mark.usefixtures("talkative")
Tone = Callable[..., Path]


def analyse(
    store: Store, config: Settings, *paths: Path, description: Description | None = None, model: object = None
) -> list[ClipResult]:
    analyser = Analyser(store, config, model or LoudnessModel())  # type: ignore[arg-type]
    return list(analyser.analyse([Source(path, path.name) for path in paths], description or Description()))


def test_a_recording_is_decoded_recognised_stored_and_kept(store: Store, config: Settings, tone: Tone) -> None:
    happened = datetime(2026, 3, 31, 6, 5, tzinfo=UTC)
    about = Description(agent="Ana", team="North", session="Case 7", happened_at=happened, roles=("customer",))
    (result,) = analyse(store, config, tone("loud.wav", 0.9), description=about)
    assert result.status is Status.ANALYSED
    assert result.scores is not None
    assert result.scores.dominant == "angry"
    assert result.clip_id is not None
    view = reports.clip_view(store, result.clip_id)
    assert view is not None
    assert (view.agent, view.team, view.session_name, view.role) == ("Ana", "North", "Case 7", "customer")
    assert (view.happened_at, view.happened_at_source) == (happened, "given")
    assert view.newest is not None
    assert view.newest.scores is not None
    assert view.newest.scores.vector == pytest.approx(result.scores.vector)
    assert view.newest.missing == ("surprised", "unknown")
    assert view.media_path is not None
    assert (config.data_dir / view.media_path).stat().st_size == view.byte_count


def test_each_channel_becomes_a_clip_with_its_own_role(store: Store, config: Settings, tone: Tone) -> None:
    about = Description(roles=("agent", "customer"))
    left, right = analyse(store, config, tone("call.wav", 0.02, 0.9), description=about)
    assert (left.channel, right.channel) == (0, 1)
    assert left.scores is not None
    assert right.scores is not None
    assert left.scores["angry"] < right.scores["angry"]
    assert right.clip_id is not None
    view = reports.clip_view(store, right.clip_id)
    assert view is not None
    assert view.role == "customer"
    assert view.siblings == ((0, left.clip_id), (1, right.clip_id))


def test_the_same_bytes_again_are_shown_as_stored_and_change_nothing(
    store: Store, config: Settings, tone: Tone
) -> None:
    model = LoudnessModel()
    first = analyse(store, config, tone("a.wav", 0.5), description=Description(agent="Ana"), model=model)[0]
    renamed = tone("b.wav", 0.5)
    again = analyse(store, config, renamed, description=Description(agent="Bob", session="X"), model=model)[0]
    assert again.status is Status.STORED_ALREADY
    assert (again.clip_id, again.scores) == (first.clip_id, first.scores)
    assert model.asked == 1
    assert reports.count_clips(store) == 1
    view = reports.clip_view(store, first.clip_id or 0)
    assert view is not None
    assert view.agent == "Ana"


def test_another_revision_of_a_model_analyses_the_same_clip_again(store: Store, config: Settings, tone: Tone) -> None:
    path = tone("a.wav", 0.5)
    first = analyse(store, config, path, model=LoudnessModel("1"))[0]
    second = analyse(store, config, path, model=LoudnessModel("2"))[0]
    assert second.status is Status.ANALYSED
    assert second.clip_id == first.clip_id
    view = reports.clip_view(store, first.clip_id or 0)
    assert view is not None
    assert [analysis.revision for analysis in view.analyses] == ["2", "1"]


def test_a_silent_channel_is_stored_as_no_speech_and_not_asked_about(
    store: Store, config: Settings, tone: Tone
) -> None:
    model = LoudnessModel()
    path = tone("half.wav", 0.5, 0.0, 0.5)
    heard, silent, _ = analyse(store, config, path, model=model)
    assert (heard.status, silent.status) == (Status.ANALYSED, Status.NO_SPEECH)
    assert silent.scores is None
    assert model.asked == 2
    again = analyse(store, config, path, model=model)[1]
    assert again.status is Status.STORED_ALREADY
    assert again.reason == silent.reason


def test_a_broken_file_fails_alone_with_a_sentence(store: Store, config: Settings, tone: Tone) -> None:
    broken = tone("broken.wav", 0.5)
    broken.write_bytes(b"not a sound at all" * 50)
    results = analyse(store, config, tone("one.wav", 0.4), broken, tone("two.wav", 0.6))
    assert [result.status for result in results] == [Status.ANALYSED, Status.FAILED, Status.ANALYSED]
    assert results[1].reason is not None
    assert "broken.wav" in results[1].reason.params.values()
    assert reports.count_clips(store) == 2


def test_an_error_nobody_foresaw_is_logged_whole_and_shown_short(
    store: Store, config: Settings, tone: Tone, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(LoudnessModel):
        def recognize(self, waveforms: object) -> list[object]:  # type: ignore[override]
            raise ZeroDivisionError("inside")

    (result,) = analyse(store, config, tone("a.wav", 0.5), model=Broken())
    assert result.status is Status.FAILED
    assert result.reason is not None
    assert result.reason.params["id"] in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert reports.count_clips(store) == 0


def test_a_voice_that_the_model_refuses_fails_beside_the_others(store: Store, config: Settings, tone: Tone) -> None:
    class Picky(LoudnessModel):
        def _one(self, waveform: object) -> object:  # type: ignore[override]
            answer = super()._one(waveform)  # type: ignore[arg-type]
            return ModelError("No.") if self.asked and abs(waveform).max() > 0.8 else answer  # type: ignore[arg-type]

    loud, soft = analyse(store, config, tone("a.wav", 0.9, 0.2), model=Picky())
    assert (loud.status, soft.status) == (Status.FAILED, Status.ANALYSED)
    assert reports.count_clips(store) == 1


def test_progress_tells_every_stage_in_order(store: Store, config: Settings, tone: Tone) -> None:
    seen: list[Progress] = []
    analyser = Analyser(store, config, LoudnessModel(), progress=seen.append)
    sources = [Source(tone(name, level), name) for name, level in (("a.wav", 0.3), ("b.wav", 0.6))]
    list(analyser.analyse(sources, Description()))
    assert [(at.index, at.stage) for at in seen] == [(index, stage) for index in (0, 1) for stage in Stage]
    assert {at.total for at in seen} == {2}


@pytest.mark.parametrize("stop_at", list(Stage))
def test_cancelling_stores_nothing_of_the_file_at_hand(
    store: Store, config: Settings, tone: Tone, stop_at: Stage
) -> None:
    reached: list[Stage] = []

    def cancelled() -> bool:
        return len(reached) >= 5 + list(Stage).index(stop_at)

    analyser = Analyser(
        store, config, LoudnessModel(), progress=lambda at: reached.append(at.stage), cancelled=cancelled
    )
    sources = [Source(tone(f"{i}.wav", 0.1 * (i + 1)), f"{i}.wav") for i in range(3)]
    results = list(analyser.analyse(sources, Description()))
    assert [result.file for result in results] == ["0.wav"]
    assert reports.count_clips(store) == 1


def test_without_the_right_nothing_is_read(
    store: Store, config: Settings, tone: Tone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "can", lambda action, subject=None: action != "analyse")
    with pytest.raises(AccessError):
        analyse(store, config, tone("a.wav", 0.5))
    assert reports.count_clips(store) == 0


def voices(folder: Path, *channels: NDArray[np.float32]) -> Path:
    return write_wav(folder / "call.wav", np.stack(channels))


def test_two_channels_of_one_voice_become_one_clip_that_says_why(
    store: Store, config: Settings, tmp_path: Path
) -> None:
    said = np.asarray(0.4 * np.sin(np.arange(3 * 16_000) / 20), np.float32)
    path = voices(tmp_path, 0.5 * said, said)
    about = Description(sides=("customer", "agent"), agent="Ana")
    (result,) = analyse(store, config, path, description=about)
    assert ["same sound" in str(note) for note in result.notes] == [True]
    view = reports.clip_view(store, result.clip_id or 0)
    assert view is not None
    assert (view.role, view.channel_count, view.notes) == ("unknown", 1, result.notes)  # nobody said whose it is
    # What is stored counts: the same bytes again, and another model, see one voice, too.
    (again,) = analyse(store, config, path, description=about)
    assert (again.status, again.clip_id) == (Status.STORED_ALREADY, result.clip_id)
    (other,) = analyse(store, config, path, description=about, model=LoudnessModel("2"))
    assert (other.status, other.clip_id) == (Status.ANALYSED, result.clip_id)


def test_a_recording_that_was_stored_with_two_clips_keeps_them(
    store: Store, config: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = np.asarray(0.4 * np.sin(np.arange(3 * 16_000) / 20), np.float32)
    path = voices(tmp_path, said, said)
    with monkeypatch.context() as earlier:
        earlier.setattr(audio, "fold", lambda decoded, always=False: decoded)
        left, right = analyse(store, config, path)
    later = [result.clip_id for result in analyse(store, config, path, model=LoudnessModel("2"))]
    assert later == [left.clip_id, right.clip_id]


@pytest.mark.parametrize(
    ("about", "roles", "alone"),
    [
        ({}, ("agent", "customer"), "unknown"),
        ({"sides": ("customer", "agent")}, ("customer", "agent"), "unknown"),
        ({"sides": ("unknown", "unknown")}, ("unknown", "unknown"), "unknown"),
        ({"roles": ("mixed",), "sides": ("agent", "customer")}, ("agent", "customer"), "mixed"),
        ({"roles": ("customer",)}, ("customer", "customer"), "customer"),
        ({"roles": ("customer", "agent"), "sides": ("agent", "customer")}, ("customer", "agent"), "unknown"),
    ],
)
def test_left_is_the_agent_and_right_the_customer_unless_something_else_was_said(
    about: dict[str, Any], roles: tuple[str, str], alone: str
) -> None:
    described = Description(**about)
    assert (described.role(0, 2), described.role(1, 2), described.role(0, 1)) == (*roles, alone)
    assert description_from_json(json.loads(json.dumps(description_as_json(described)))) == described


def test_a_call_is_stored_whole_or_not_at_all_and_a_later_try_finishes_it(
    store: Store, config: Settings, tone: Tone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tone("call.wav", 0.2, 0.8)
    rows, made = saving.score_row, []

    def die_at_the_second(*given: Any) -> Any:
        made.append(given)
        if len(made) == 2:
            raise SystemExit("the machine stops here")
        return rows(*given)

    with monkeypatch.context() as dying:
        dying.setattr(saving, "score_row", die_at_the_second)
        with pytest.raises(SystemExit):
            analyse(store, config, path)
    assert (reports.count_clips(store), reports.counts(store).recordings) == (0, 0)
    monkeypatch.setattr(
        speech, "detect", lambda waveform: speech.SpeechReport((speech.Segment(0.25, 1.0),), 0.75, None)
    )
    results = analyse(store, config, path)
    assert [result.status for result in results] == [Status.ANALYSED] * 2
    ids = [result.clip_id or 0 for result in results]
    assert {key: found.tolist() for key, found in reports.speech_segments(store, ids).items()} == {
        key: [[0.25, 1.0]] for key in ids
    }


def test_files_of_one_call_become_its_sides_whichever_is_stored_last(
    store: Store, config: Settings, tone: Tone
) -> None:
    paths = [tone("x_agent.wav", 0.2), tone("x_caller.wav", 0.8)]
    hashes = [audio.content_hash(path) for path in paths]
    about = [
        Description(agent="Ana", roles=("agent",), other_side=hashes[1]),
        Description(agent="Ana", roles=("customer",), other_side=hashes[0]),
    ]
    (customer,) = analyse(store, config, paths[1], description=about[1])
    (agent,) = analyse(store, config, paths[0], description=about[0])
    views = [reports.clip_view(store, each.clip_id or 0) for each in (agent, customer)]
    assert [(view.role, view.partner_id, view.starts_s) for view in views if view] == [
        ("agent", customer.clip_id, 0.0),
        ("customer", agent.clip_id, 0.0),
    ]
    assert len({view.session_id for view in views if view}) == 1
    before = len(audit.page(store).rows)
    analyse(store, config, paths[0], description=about[0])  # again changes nothing
    assert len(audit.page(store).rows) == before


def test_the_real_call_on_two_channels_has_its_roles_right(
    store: Store, config: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = real_audio() / "calls"
    monkeypatch.undo()  # the real detector of speech
    name = "amazon-transcribe-live-call-analytics__Auto_Repairs_40_UTC_{}.wav"
    agent, caller = (audio.decode(calls / name.format(side)).waveforms[0] for side in ("agent", "caller"))
    size = 60 * 16_000  # the first minute
    results = analyse(store, config, voices(tmp_path, agent[:size], caller[:size]))
    views = [reports.clip_view(store, result.clip_id or 0) for result in results]
    assert [(view.channel, view.role) for view in views if view] == [(0, "agent"), (1, "customer")]
    found = reports.speech_segments(store, [result.clip_id or 0 for result in results])
    for result, waveform in zip(results, (agent, caller), strict=True):
        alone = speech.detect(waveform[:size])
        segments = found[result.clip_id or 0]
        assert segments == pytest.approx(np.array([(each.start_s, each.end_s) for each in alone.segments]), abs=0.1)
