"""Results of others in: looked at first, then each clip whole and once; what leaves comes back as it was."""

from __future__ import annotations

import io
import json
import shutil
import stat
import wave
import zipfile
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emostore import access
from emostore.analytics.reference import CASES
from emostore.config import Settings
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import AccessError
from emostore.services import importing
from emostore.services.calibration import labelling
from emostore.services.exports import exporting
from emostore.services.importing import Given, Options, Plan, sources
from emostore.services.importing.drawing import samples
from emostore.services.importing.values import logits_of
from emostore.services.metadata.descriptions import ROLES, Description
from emostore.store import migrate
from emostore.store.calibration import labels
from emostore.store.reports import alert_reports, export_reports, history, reports
from emostore.store.reports.views import HistoryRow
from emostore.store.session import Store, create_store
from emostore.store.tables.label_models import CANNOT_TELL, REASONS, VERDICTS
from emostore.store.writing import clips, records
from emostore.store.writing.names import clean_name
from tests.store.samples import row_counts

BUSINESS = dict(CASES["Business talk"])
COMPLAINT = dict(CASES["Customer complaint"])
SHANGHAI = Options("Asia/Shanghai", zone_given=True)
EVERYTHING = history.HistoryFilter()


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def result(scores: dict[str, float] = BUSINESS, **more: Any) -> dict[str, Any]:
    top = max(scores, key=lambda name: scores[name])
    return {"emotion": top, "confidence": scores[top], "scores": scores, "granularity": "utterance", **more}


def zipped(files: dict[str, bytes | str], **options: Any) -> Given:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return Given(options.get("name", "results.zip"), buffer)


def one(value: Any, name: str = "result.json") -> Given:
    data = (
        value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else json.dumps(value).encode()
    )
    return Given(name, io.BytesIO(data))


def imported(store: Store, config: Settings, given: Given, options: Options = SHANGHAI) -> importing.Imported:
    plan = importing.plan(store, config, [given], options)
    return importing.write(store, config, [given], options, plan)


def rows(store: Store) -> list[HistoryRow]:
    return sorted(history.stream(store), key=lambda row: (row.file_name, row.channel))


def refusals(plan: Plan) -> list[str]:
    return [str(each.reason) for each in plan.refused]


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def tone() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((8000 * np.sin(np.arange(32_000) / 20)).astype("<i2").tobytes())
    return buffer.getvalue()


@pytest.fixture
def outputs() -> Given:
    """A zip of two folders as a WebUI leaves them, and things beside them that it does not."""
    vector = np.linspace(-1, 1, 3 * 1024).reshape(3, 1024).astype(np.float32)
    return zipped(
        {
            "outputs/outputs_20240104_223000/result.json": json.dumps(result(timestamp="2024-01-04 22:30:04")),
            "outputs/outputs_20240104_223000/embedding.npy": npy(vector),
            "outputs/outputs_20240104_223000/processed_audio.wav": tone(),
            "outputs/outputs_20240105_080000/result.json": json.dumps(result(COMPLAINT)),
            "outputs/outputs_20240105_080000/result_frame.json": json.dumps([[1 / 9] * 9] * 500),
            "outputs/outputs_20240105_080000/screenshot.png": b"png",
            "outputs/outputs_20240106_080000/result.json": '{"scores": {"angry": 1}}',
            "outputs/alone/embedding.npy": npy(vector),
            "__MACOSX/outputs/._result.json": b"x",
        }
    )


def test_the_dry_run_says_everything_and_writes_nothing(store: Store, config: Settings, outputs: Given) -> None:
    plan = importing.plan(store, config, [outputs], Options("Asia/Shanghai", hop_s=0.02))
    assert not rows(store)
    assert not (config.data_dir / "audio").exists()
    assert [(clip.state, clip.file_name) for clip in plan.clips] == [
        ("new", "outputs_20240104_223000"),
        ("new", "outputs_20240105_080000"),
    ]
    first, second = plan.clips
    assert (first.happened_at, second.happened_at) == (
        datetime(2024, 1, 4, 14, 30, tzinfo=UTC),  # the start, which the folder names, and not the end
        datetime(2024, 1, 5, 0, 0, tzinfo=UTC),
    )
    assert (first.has_embedding, first.has_sound, first.windows) == (True, True, 0)
    assert (second.has_embedding, second.has_sound, second.windows) == (False, False, 8)
    assert [(each.name, str(each.reason)[:38]) for each in plan.refused] == [
        ("results.zip/outputs/alone/embedding.npy", "An embedding alone has no scores. Put "),
        ("results.zip/outputs/outputs_20240106_080000/result.json", "There are no scores for disgusted, fea"),
    ]
    assert plan.passed == ("results.zip/outputs/outputs_20240105_080000/screenshot.png",)
    doubts = {str(doubt).split(";")[0]: count for doubt, count in plan.doubts}
    assert doubts == {
        "No agent is named, so the clip belongs to nobody.": 2,
        "It does not say which model gave the scores": 2,
        "Its time has no time zone": 2,
        "Frames every 0.02 s were averaged into windows of 3 s, one each second.": 1,
    }


def test_what_is_imported_is_a_clip_like_any_other(store: Store, config: Settings, outputs: Given) -> None:
    about = Description(agent="Ana", roles=("customer",))
    options = Options("Asia/Shanghai", True, about, "emotion2vec_plus_large", 0.02)
    done = imported(store, config, outputs, options)
    assert (done.new, done.added, done.refused_count) == (2, 0, 0)
    business, complaint = rows(store)
    assert business.scores is not None
    expected = EmotionScores.from_raw(BUSINESS)
    assert all(abs(business.scores[name] - expected[name]) < 1e-6 for name in EMOTIONS)
    assert (business.model, business.revision) == ("emotion2vec_plus_large", "imported")
    assert (business.agent, business.role, business.duration_s) == ("Ana", "customer", 2.0)
    view = reports.clip_view(store, business.clip_id)
    assert view is not None
    assert view.media_path is not None
    assert (config.data_dir / view.media_path).read_bytes() == tone()
    assert (view.codec, view.sample_rate) == ("pcm_s16le", 16_000)
    raw = export_reports.raw_results(store, [view.analyses[0].analysis_id])[view.analyses[0].analysis_id]
    assert raw.embedding is not None
    np.testing.assert_allclose(raw.embedding, np.linspace(-1, 1, 3 * 1024).reshape(3, 1024).mean(axis=0), atol=1e-3)
    assert complaint.analysis_id is not None
    windows = reports.window_logits(store, complaint.analysis_id)
    assert windows is not None
    assert (windows.hop_s, windows.length_s, windows.logits.shape) == (1.0, 3.0, (8, 9))
    assert complaint.duration_s == 10.0
    assert len(alert_reports.of_clip(store, complaint.clip_id)) == 1  # the complaint's


def test_the_same_again_creates_nothing_whatever_it_is_called(store: Store, config: Settings, outputs: Given) -> None:
    options = Options("Asia/Shanghai", True, hop_s=0.02)
    imported(store, config, outputs, options)
    before = row_counts(store)
    plan = importing.plan(store, config, [outputs], options)
    assert [clip.state for clip in plan.clips] == ["stored", "stored"]
    other = Given("other name.zip", outputs.source)
    done = imported(store, config, other, Options("UTC", True, Description(agent="Bob"), hop_s=0.02))
    assert (done.new, done.added) == (0, 0)
    assert row_counts(store) == before
    lines = one("\n".join([json.dumps(result(COMPLAINT))] * 3), "three.jsonl")
    assert [clip.state for clip in importing.plan(store, config, [lines], options).clips] == ["new", "twin", "twin"]
    assert imported(store, config, lines).new == 1


def test_scores_of_another_model_stand_beside_those_that_are_there(sqlite_store: Store, config: Settings) -> None:
    given = one(result(timestamp="2024-01-04T22:30:00+08:00"))
    imported(sqlite_store, config, given, Options(model="one"))
    plan = importing.plan(sqlite_store, config, [given], Options(model="two"))
    assert [clip.state for clip in plan.clips] == ["added"]
    assert imported(sqlite_store, config, given, Options(model="two")).added == 1
    (row,) = rows(sqlite_store)
    view = reports.clip_view(sqlite_store, row.clip_id)
    assert view is not None
    assert sorted((each.model, each.revision) for each in view.analyses) == [("one", "imported"), ("two", "imported")]


def test_a_named_model_is_never_taken_for_the_one_that_runs_here(sqlite_store: Store, config: Settings) -> None:
    line = {"file": "a.wav", "channel": 1, "scores": BUSINESS, "status": "analysed", "model": "baseline"}
    five = {"key": "b", "labels": ["生气/angry", "开心/happy", "<unk>"], "scores": [0.2, 0.3, 0.5]}
    imported(sqlite_store, config, one("\n".join(map(json.dumps, [line | {"revision": "0123abcd"}, five])), "x.jsonl"))
    first, second = rows(sqlite_store)
    assert (first.model, first.revision) == ("baseline", "imported, 0123abcd")
    assert (second.model, second.revision) == ("unnamed model", "imported, angry happy unknown")
    view = reports.clip_view(sqlite_store, second.clip_id)
    assert view is not None
    assert view.analyses[0].classes == ("angry", "happy", "unknown")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(0, 1) | st.just(0.0), min_size=9, max_size=9).filter(lambda values: sum(values) > 1e-3))
def test_stored_logits_give_the_scores_back(values: list[float]) -> None:
    scores = EmotionScores.from_raw([value / sum(values) for value in values])
    back = EmotionScores.from_logits(logits_of(scores.vector).tolist())
    assert all(abs(one - other) < 1e-6 for one, other in zip(scores.vector, back.vector, strict=True))
    assert [value == 0 for value in back.vector] == [value == 0 for value in scores.vector]


def test_what_was_shown_under_a_calibration_comes_back_as_its_raw_results(
    sqlite_store: Store, config: Settings
) -> None:
    imported(sqlite_store, config, one({"labels": list(EMOTIONS), "scores": [*COMPLAINT.values()], "key": "a"}))
    (line,) = b"".join(exporting.export(sqlite_store, EVERYTHING, "clips", "jsonl")).splitlines()
    changed = json.loads(line) | {"sha256": "ab" * 32, "scores": BUSINESS}
    plan = importing.plan(sqlite_store, config, [one(changed, "x.jsonl")], SHANGHAI)
    assert refusals(plan) == ["The scores and the logits of the line contradict each other by 0.587."]
    plan = importing.plan(sqlite_store, config, [one(changed | {"calibration": "phone"}, "x.jsonl")], SHANGHAI)
    assert [clip.scores and clip.scores.dominant for clip in plan.clips] == ["angry"]
    assert "Its scores were shown under the calibration phone; the raw results are stored, without it." in [
        str(doubt) for doubt, _count in plan.doubts
    ]


def test_several_channels_of_a_recording_come_together(sqlite_store: Store, config: Settings) -> None:
    sha = "ab" * 32
    lines = [
        {"file": "call.wav", "sha256": sha, "channel": channel, "scores": scores, "status": "analysed"}
        for channel, scores in enumerate([BUSINESS, COMPLAINT])
    ]
    imported(sqlite_store, config, one("\n".join(map(json.dumps, lines)), "x.jsonl"))
    left, right = rows(sqlite_store)
    assert (left.channel, right.channel, left.channel_count, right.channel_count) == (0, 1, 2, 2)
    assert left.recording_id == right.recording_id


def test_one_clip_that_cannot_be_saved_keeps_no_other_from_it(sqlite_store: Store, config: Settings) -> None:
    table = "file,agent,team," + ",".join(EMOTIONS) + "\n"
    scores = ",".join(str(value) for value in BUSINESS.values())
    table += "".join(
        f"{name},{agent},{team},{scores}\n" for name, agent, team in [("a", "Ana", "N"), ("b", "Ana", "S")]
    )
    plan = importing.plan(sqlite_store, config, [one(table, "x.csv")], SHANGHAI)
    assert refusals(plan) == [
        "Agent Ana belongs to team N, not S. Leave the team empty, or give the agent another name if it is somebody"
        " else."
    ]
    other = one(table.replace("\na,Ana,N", "\na,,"), "x.csv")
    again = importing.plan(sqlite_store, config, [other], SHANGHAI)
    imported(sqlite_store, config, one(table.splitlines()[0] + f"\nc,Ana,N,{scores}\n", "y.csv"))
    done = importing.write(sqlite_store, config, [other], SHANGHAI, again)  # Ana's team has changed since the dry run
    assert (done.new, done.refused_count) == (1, 1)
    assert [row.file_name for row in rows(sqlite_store)] == ["a", "c"]


def test_a_broken_sound_is_left_out_and_said(sqlite_store: Store, config: Settings) -> None:
    files: dict[str, bytes | str] = {"o/result.json": json.dumps(result()), "o/processed_audio.wav": b"no sound at all"}
    plan = importing.plan(sqlite_store, config, [zipped(files)], SHANGHAI)
    assert [clip.has_sound for clip in plan.clips] == [False]
    assert any(str(doubt).startswith("The sound beside it is left out") for doubt, _count in plan.doubts)


def test_frames_without_a_hop_are_asked_about(sqlite_store: Store, config: Settings) -> None:
    given = one([[1 / 9] * 9] * 100, "result_frame.json")
    plan = importing.plan(sqlite_store, config, [given], SHANGHAI)
    assert refusals(plan) == [
        "The frames do not say how far apart they are. Say it yourself: the hop of Emotion2Vec+ is 0.02 s."
    ]
    assert not importing.plan(sqlite_store, config, [given], Options(hop_s=0.02)).refused


def test_a_table_in_chinese_and_our_own_table_are_read(sqlite_store: Store, config: Settings, tmp_path: Path) -> None:
    scores = ";".join(str(value) for value in COMPLAINT.values())
    table = f"文件;生气;厌恶;恐惧;开心;中立;其他;难过;吃惊;未知;agent\n甲;{scores};王芳\n"
    imported(sqlite_store, config, Given("t.csv", io.BytesIO(table.encode("gb18030"))))
    (row,) = rows(sqlite_store)
    assert (row.file_name, row.agent, row.scores and row.scores.dominant) == ("甲", "王芳", "angry")
    own = b"".join(exporting.export(sqlite_store, EVERYTHING, "clips", "csv"))
    other = create_store(f"sqlite:///{tmp_path / 'other.db'}")
    migrate.upgrade(other)
    imported(other, config, Given("clips.csv", io.BytesIO(own)))
    (back,) = rows(other)
    assert (back.file_name, back.agent, back.happened_at) == (row.file_name, row.agent, row.happened_at)
    assert back.scores is not None
    assert row.scores is not None
    assert all(abs(back.scores[name] - row.scores[name]) < 1e-6 for name in EMOTIONS)


def hostile(**change: Any) -> Given:
    """A zip one member of which says something about itself."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("result.json")
        for name, value in change.items():
            setattr(info, name, value)
        archive.writestr(info, json.dumps(result()))
    return Given("bad.zip", buffer)


def damaged(place: int = 60) -> Given:
    data = bytearray(zipped({"result.json": json.dumps(result())}).source.getvalue())  # type: ignore[union-attr]
    data[place] ^= 0xFF
    return Given("bad.zip", io.BytesIO(bytes(data)))


def twice() -> Given:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("result.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("result.json", "{}")
    return Given("bad.zip", buffer)


def locked() -> Given:
    data = zipped({"result.json": "{}"}).source.getvalue()  # type: ignore[union-attr]
    place = data.rindex(b"PK\x01\x02") + 8
    return Given("bad.zip", io.BytesIO(data[:place] + b"\x01" + data[place + 1 :]))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: hostile(filename="../result.json"), "leads out of its folder"),
        (lambda: hostile(filename="/etc/result.json"), "leads out of its folder"),
        (lambda: hostile(filename="C:/result.json"), "leads out of its folder"),
        (lambda: hostile(filename="a\\..\\result.json"), "leads out of its folder"),
        (lambda: hostile(orig_filename="a\0b", filename="a\0b"), "leads out of its folder"),
        (lambda: hostile(external_attr=(stat.S_IFLNK | 0o777) << 16), "is a link or no file"),
        (lambda: hostile(compress_type=zipfile.ZIP_LZMA), "packed in an unusual way"),
        (twice, "two files called result.json"),
        (locked, "locked with a password"),
        (damaged, "damaged and cannot be unpacked"),
        (lambda: Given("bad.zip", io.BytesIO(b"PK but no zip")), "is no zip, or a damaged one"),
        (lambda: zipped({"a.json": b"0" * 40_000_000}), "only archives made to fill a disk"),
        (lambda: zipped({"inner.zip": b"PK"}), "a zip inside a zip"),
    ],
)
def test_a_dishonest_zip_is_refused_whole(sqlite_store: Store, config: Settings, make: Any, said: str) -> None:
    plan = importing.plan(sqlite_store, config, [make()], SHANGHAI)
    assert not plan.clips
    (reason,) = refusals(plan)
    assert said in reason


def test_a_zip_is_bounded_before_it_is_unpacked(
    sqlite_store: Store, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = zipped({f"{number}/result.json": json.dumps(result()) for number in range(5)})
    monkeypatch.setattr(sources, "MAX_UNPACKED_BYTES", 100)
    assert "Unpacked, it would take" in refusals(importing.plan(sqlite_store, config, [many], SHANGHAI))[0]
    monkeypatch.setattr(sources, "MAX_FILES", 4)
    assert "more than 4 files" in refusals(importing.plan(sqlite_store, config, [many], SHANGHAI))[0]
    monkeypatch.setattr(sources, "MAX_DIRECTORY_BYTES", 200)
    assert "list of contents is longer" in refusals(importing.plan(sqlite_store, config, [many], SHANGHAI))[0]


def test_what_is_no_file_in_a_folder_is_not_followed(sqlite_store: Store, config: Settings, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text(json.dumps(result()))
    folder = tmp_path / "folder"
    (folder / ".hidden").mkdir(parents=True)
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    (folder / "gone.json").symlink_to(tmp_path / "gone")
    plan = importing.plan(sqlite_store, config, [Given("folder", folder), Given("x", tmp_path / "x")], SHANGHAI)
    assert not plan.clips
    assert [each.name for each in plan.refused] == ["folder/gone.json", "folder/link.json", "x"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 700), st.binary(min_size=1, max_size=8))
def test_a_damaged_zip_is_read_or_refused(sqlite_store: Store, config: Settings, place: int, patch: bytes) -> None:
    data = zipped({"a/result.json": json.dumps(result()), "b.jsonl": "{}\n"}).source.getvalue()  # type: ignore[union-attr]
    place %= len(data)
    plan = importing.plan(
        sqlite_store, config, [Given("x.zip", io.BytesIO(data[:place] + patch + data[place + len(patch) :]))], SHANGHAI
    )
    assert len(plan.clips) <= 1
    assert all(str(each.reason) for each in plan.refused)


TEXT = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20)
LOGIT = st.floats(-50, 50, width=32) | st.just(-np.inf)


def segments(times: list[float]) -> Any:
    return np.array(sorted(times)[: len(times) // 2 * 2], np.float64).reshape(-1, 2)


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@st.composite
def recordings(draw: st.DrawFn, number: int) -> records.NewRecording:
    return records.NewRecording(
        sha256=f"{number:064x}",
        file_name=draw(TEXT),
        byte_count=draw(st.integers(0, 2**40)),
        duration_s=draw(st.floats(0, 1e5)),
        sample_rate=8000,
        channel_count=3,
        container="wav",
        codec="pcm",
        uploaded_at=draw(MOMENTS),
        happened_at=draw(MOMENTS),
        happened_at_source=draw(st.sampled_from(["given", "name", "metadata", "upload"])),
        scenario=draw(st.sampled_from(["teaching", None])),
        language=draw(st.sampled_from(["zh-CN", None])),
        demo=draw(st.booleans()),
    )


@st.composite
def analyses(draw: st.DrawFn, recording: records.NewRecording) -> records.NewAnalysis:
    """A clip of a recording with what a model said of it, or why it said nothing."""
    clip = records.NewClip(
        recording,
        draw(st.integers(0, 2)),
        draw(st.floats(0, 1e5)),
        draw(st.floats(0, 1e5) | st.none()),
        draw(st.sampled_from(ROLES)),
        draw(TEXT | st.none()),
        None,
        draw(TEXT | st.none()),
        draw(st.none() | st.lists(st.floats(0, 1e4), max_size=6).map(segments)),
    )
    model = records.ModelRevisionKey(f"m{draw(st.integers(0, 1))}", "1", 4, EMOTIONS, "MIT")
    if draw(st.integers(0, 4)) == 0:
        return records.NewAnalysis(clip, model, records.NoSpeech("silence"), draw(MOMENTS))
    logits = np.array(draw(st.lists(LOGIT, min_size=9, max_size=9)), np.float32)
    logits[0] = max(logits[0], -40)
    rows = draw(st.integers(0, 3))
    windows = np.tile(logits, (rows, 1)) + np.arange(rows)[:, None].astype(np.float32)
    outcome = records.Analysed(
        logits,
        EmotionScores.from_logits(logits.tolist()),
        records.NewWindows(windows, 1.0, 3.0) if rows else None,
        draw(st.none() | st.lists(st.floats(-100, 100, width=16), min_size=4, max_size=4).map(np.array)),
    )
    return records.NewAnalysis(clip, model, outcome, draw(MOMENTS), draw(st.none() | st.floats(0, 10)))


@st.composite
def said(draw: st.DrawFn) -> labels.Said:
    """What a rater hears in a clip."""
    emotion = draw(st.sampled_from(VERDICTS))
    others = [each for each in EMOTIONS if each != emotion and emotion != CANNOT_TELL]
    label = labels.NewLabel(
        emotion,
        draw(st.sampled_from([None, *others])),
        draw(st.sampled_from([None, 1, 5])),
        draw(st.none() | st.text(max_size=20)),
        draw(st.sampled_from(REASONS)),  # type: ignore[arg-type]
    )
    rater = clean_name(draw(TEXT), "rater")
    assert rater is not None
    return labels.Said(rater, labelling.checked(label), draw(MOMENTS))


@st.composite
def stores(draw: st.DrawFn) -> list[tuple[records.NewAnalysis, list[labels.Said]]]:
    """Analyses of a few recordings, some of them of several channels, or twice of one, with labels."""
    known = [draw(recordings(number)) for number in range(3)]
    heard = st.lists(said(), max_size=2)
    return [(draw(analyses(known[number])), draw(heard)) for number in draw(st.lists(st.integers(0, 2), max_size=5))]


DERIVED = {"clip_id", "session_id", "analysis_id", "recording_id", "media_kind"}


def everything(store: Store) -> list[dict[str, Any]]:
    """Rows and raw results of all clips, without what only counts or is a file."""
    found = []
    for row in history.stream(store):
        assert row.analysis_id is not None
        raw = export_reports.raw_results(store, [row.analysis_id])[row.analysis_id]
        columns = {each.name: getattr(row, each.name) for each in fields(row)}
        columns |= {each.name: getattr(raw, each.name) for each in fields(raw)}
        arrays = {
            name: None if value is None else np.asarray(value).tolist()
            for name, value in columns.items()
            if isinstance(value, np.ndarray)
        }
        heard = [(each.rater, each.label, each.labelled_at) for each in labels.of_clip(store, row.clip_id)]
        arrays["labels"] = heard
        found.append({name: value for name, value in (columns | arrays).items() if name not in DERIVED})
    return sorted(found, key=lambda each: (each["sha256"], each["channel"]))


@pytest.mark.parametrize(("what", "kind"), [("clips", "jsonl"), ("results", "zip")])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(stored=stores())
def test_what_is_exported_makes_equal_rows_in_an_empty_database(
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
    config: Settings,
    what: Any,
    kind: Any,
    stored: list[tuple[records.NewAnalysis, list[labels.Said]]],
) -> None:
    folder = tmp_path_factory.mktemp("round")
    before, after = (
        create_store(f"sqlite:///{shutil.copyfile(sqlite_template, folder / name)}") for name in ("a.db", "b.db")
    )
    answers = clips.save_many(before, [analysis for analysis, _heard in stored])
    heard = {(a.clip_id, each.rater): each for a, (_, given) in zip(answers, stored, strict=True) for each in given}
    assert labelling.restore(before, heard) == len(heard)
    data = b"".join(exporting.export(before, EVERYTHING, what, kind))
    plan = importing.plan(after, config, [Given(f"x.{kind}", io.BytesIO(data))], SHANGHAI)
    assert not plan.refused
    importing.write(after, config, [Given(f"x.{kind}", io.BytesIO(data))], SHANGHAI, plan)
    assert everything(after) == everything(before)
    before.close()
    after.close()


def test_results_are_drawn_as_they_are_given_and_nothing_is_stored(sqlite_store: Store) -> None:
    text = "\n".join(json.dumps(result(dict(case), name=name)) for name, case in CASES.items())
    found = samples([one(text, "pasted.json"), one("{", "bad.json"), one([[1 / 9] * 9] * 4, "frames.json")], 2)
    assert [each.name for each in found.samples] == ["Business talk", "Customer complaint"]
    assert found.samples[0].scores["neutral"] == 0.674
    assert found.count == 4
    assert [each.name for each in found.refused] == ["bad.json"]


def test_nobody_imports_without_the_right(
    sqlite_store: Store, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = importing.plan(sqlite_store, config, [one(result())], SHANGHAI)
    monkeypatch.setattr(access, "can", lambda action, subject=None: action == "read")
    with pytest.raises(AccessError):
        importing.plan(sqlite_store, config, [one(result())], SHANGHAI)
    with pytest.raises(AccessError):
        importing.write(sqlite_store, config, [one(result())], SHANGHAI, plan)
    assert not rows(sqlite_store)
