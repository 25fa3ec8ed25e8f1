"""Reports to take away: what they say, that it is what is stored, and that nothing in them gets loose."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emostore.analytics import trajectory as paths
from emostore.analytics.quality import service_quality_score
from emostore.analytics.trajectory import Trajectory, window_scores
from emostore.config import Settings
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import EmostoreError
from emostore.i18n import Sentence
from emostore.services import preferences, report
from emostore.services.calibration import masked
from emostore.services.report import Maker, course, facts, page, parts
from emostore.services.report.wording import Wording
from emostore.services.views import agent_profile, session_view
from emostore.store.reports import reports
from emostore.store.reports.history import HistoryFilter
from emostore.store.session import Store
from tests.services.reported import ANGRY, CALM, LENGTH_S, NASTY, NOW, SPEECH, WINDOWS, save_call, save_weeks

ROOT = Path(__file__).resolve().parents[2]
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


class Page(HTMLParser):
    """The tags of a page in their order, with their attributes, and its text by tag."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in ("meta",):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text.append((self._open[-1] if self._open else "", data))

    def words(self) -> str:
        """What a reader sees, without the style."""
        return "\n".join(data for tag, data in self.text if tag != "style")


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", time_zone="Asia/Shanghai")


@pytest.fixture
def maker(store: Store, config: Settings) -> Maker:
    return Maker(store, config)


def shown(content: bytes) -> str:
    return " ".join(Page(content).words().split())


def test_a_clip_is_told_with_the_numbers_of_its_page(store: Store, maker: Maker) -> None:
    _agent, customer = save_call(store)
    view = reports.clip_view(store, customer)
    assert view is not None
    assert view.newest is not None
    assert view.newest.scores is not None
    said = shown(maker.clip(customer))
    for name in view.newest.classes:
        assert f"{view.newest.scores[name]:.3f}" in said
    assert "This voice sounds" in said
    assert f"Service quality {service_quality_score(view.newest.scores):.1f}." in said
    assert "A high-priority alert is raised." in said
    assert "six cannot give Other, Surprised, Unknown." in said
    assert "From neutral to angry." in said
    assert "31 Mar 2026, 14:05:00" in said  # in the reporting time zone
    assert "The sample rate changes inside the recording; it was followed." in said
    assert view.sha256 in said
    assert "Not legal advice." in said


def test_the_voice_of_an_agent_is_for_coaching_and_has_no_quality(store: Store, maker: Maker) -> None:
    agent, _customer = save_call(store)
    said = shown(maker.clip(agent))
    assert "it is for coaching, and gets no service quality" in said
    assert "Service quality" not in said.replace("service quality", "")
    assert json.loads(maker.clip(agent, "json"))["clip"]["analysis"]["quality"] is None


def test_json_has_every_number_exactly_and_can_be_read_back(store: Store, maker: Maker) -> None:
    _agent, customer = save_call(store)
    content = json.loads(maker.clip(customer, "json"))
    assert (content["schema"], content["emotions"]) == ("emostore.clip/1", list(EMOTIONS))
    analysis = content["clip"]["analysis"]
    scores = EmotionScores.from_logits(ANGRY.tolist())
    assert EmotionScores(tuple(analysis["scores"].values())) == scores
    assert (analysis["dominant"], analysis["confidence"]) == (scores.dominant, scores.confidence)
    assert analysis["quality"]["value"] == service_quality_score(scores)
    assert content["clip"]["speech"] == SPEECH[1].tolist()
    windows = analysis["windows"]
    path = Trajectory(np.array(windows["scores"]), windows["hop_s"], windows["length_s"], np.array(windows["scored"]))
    assert path.scores.tolist() == window_scores(WINDOWS.astype(np.float16).astype(np.float32)).tolist()
    assert 0 < path.scored.sum() < len(path)  # the customer begins late
    told = analysis["trajectory"]
    assert told["share_of_time"] == paths.shares(path)
    assert [(each["index"], each["from"], each["to"]) for each in told["dominant_changes"]] == [
        (each.index, each.before, each.after) for each in paths.changes(path)
    ]
    slopes, worst = paths.slopes(path), paths.worst(path)
    assert slopes is not None
    assert worst is not None
    assert list(told["slope_per_minute"].values()) == slopes.per_minute.tolist()
    assert (told["worst"]["start_s"], told["worst"]["score"]) == (worst.start_s, worst.score)
    (alert,) = content["clip"]["alerts"]
    assert alert["value"] == pytest.approx(scores["angry"] + scores["disgusted"])


def test_csv_has_a_row_for_the_clip_and_one_for_each_window(store: Store, maker: Maker) -> None:
    _agent, customer = save_call(store, NASTY[2])
    content = maker.clip(customer, "csv")
    assert content.startswith(b"\xef\xbb\xbf")
    whole, *windows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    scores = EmotionScores.from_logits(ANGRY.tolist())
    assert [float(whole[name]) for name in EMOTIONS] == list(scores.vector)
    assert (whole["part"], float(whole["end_s"]), whole["dominant"]) == ("clip", LENGTH_S, "angry")
    assert whole["file_name"] == "'" + NASTY[2]  # no spreadsheet runs it
    assert float(whole["quality"]) == service_quality_score(scores)
    assert [(float(row["start_s"]), float(row["end_s"])) for row in windows] == [(i, i + 3) for i in range(24)]
    quiet = [row for row in windows if not row["dominant"]]
    assert quiet
    assert all(row["angry"] == "" for row in quiet)
    assert windows[-1]["dominant"] == "angry"


def test_a_clip_without_speech_or_windows_is_reported_too(store: Store, maker: Maker) -> None:
    (clip_id,) = save_call(store, moods={"customer": CALM}, windows=False, segments=None)
    said = shown(maker.clip(clip_id))
    assert "Over time" not in said
    content = json.loads(maker.clip(clip_id, "json"))["clip"]
    assert (content["analysis"]["windows"], content["speech"]) == (None, None)


def test_a_session_lays_both_sides_beside_each_other(store: Store, maker: Maker) -> None:
    agent, customer = save_call(store, session_name="Case 7")
    view = reports.clip_view(store, customer)
    assert view is not None
    content = json.loads(maker.session(view.session_id, "json"))
    assert content["schema"] == "emostore.session/1"
    assert [each["id"] for each in content["clips"]] == [customer, agent]  # customers first
    (call,) = content["calls"]
    found = session_view.conversation(store, [agent, customer])
    assert found is not None
    assert found.talk is not None
    assert call["clip_ids"] == [agent, customer]
    assert [side["talk_s"] for side in call["talk"]["sides"]] == [10.0, 17.0]
    assert call["talk"]["overlap_s"] == pytest.approx(1.0)
    said = shown(maker.session(view.session_id))
    assert "Case 7" in said
    assert "The customer sounds" in said
    assert "The agent sounds" in said
    assert "Of 26.0 s, somebody talks for 26.0 s, both at once for 1.0 s" in said
    rows = list(csv.DictReader(io.StringIO(maker.session(view.session_id, "csv").decode("utf-8-sig"))))
    assert [row["clip_id"] for row in rows if row["part"] == "clip"] == [str(customer), str(agent)]
    assert len(rows) == 2 + 2 * len(WINDOWS)


def test_an_agent_is_told_by_week_from_the_voices_of_customers(store: Store, maker: Maker, config: Settings) -> None:
    save_weeks(store)
    save_call(store, "own.wav", moods={"agent": ANGRY}, windows=False, segments=None)
    first, last = NOW.date() - timedelta(30), NOW.date()
    wanted = HistoryFilter(agent="Ana", from_date=first, to_date=last, time_zone=config.time_zone)
    profile = agent_profile.load(store, wanted, by_week=True)
    assert profile is not None
    assert profile.quality is not None
    content = json.loads(maker.agent("Ana", "json", from_date=first, to_date=last))
    mine, others = content["agent_voices"], content["others"]
    assert (content["schema"], content["from"], mine["whole"]["clips"]) == ("emostore.agent/1", str(first), 6)
    assert mine["whole"]["quality"]["value"] == profile.quality.value
    assert [week["clips"] for week in mine["weeks"]] == [2, 2, 2]
    assert mine["whole"]["scores"]["angry"]["value"] == profile.scores["angry"].value
    assert others["whole"]["clips"] == 12
    assert content["clips_by_role"] == {"agent": 1, "customer": 6}
    said = shown(maker.agent("Ana", from_date=first, to_date=last))
    assert f"The mean quality is {profile.quality.value:.1f}" in said
    assert "team Blue" in said
    assert "Means are made of customers' and mixed voices only." in said
    assert "own.wav" not in said
    rows = list(csv.DictReader(io.StringIO(maker.agent("Ana", "csv").decode("utf-8-sig"))))
    assert [(row["who"], row["clips"]) for row in rows] == [
        *(("agent_voices", str(count)) for count in (6, 2, 2, 2)),
        *(("others", str(count)) for count in (12, 4, 4, 4)),
    ]
    assert float(rows[0]["angry"]) == profile.scores["angry"].value


def test_what_is_not_there_is_said(maker: Maker) -> None:
    for make in (
        lambda: maker.clip(99),
        lambda: maker.session(99),
        lambda: maker.agent("Nobody"),
        lambda: maker.agent("Ana", from_date=date(2026, 2, 1), to_date=date(2026, 1, 1)),
    ):
        with pytest.raises(EmostoreError, match=r"There is no|The days end"):
            make()


def test_names_get_nowhere(store: Store, maker: Maker) -> None:
    """A report with hostile names has the same elements as one with plain names, and shows them as they are."""
    file_name, agent, team, session, _style = NASTY
    _own, plain_id = save_call(store, "plain", session_name="s", agent="a", team="t")
    _own, nasty_id = save_call(store, file_name, session_name=session, agent=agent, team=team)
    plain, nasty = (Page(maker.clip(each)) for each in (plain_id, nasty_id))
    assert nasty.tags == plain.tags
    assert [each[:2] for each in nasty.attributes] == [each[:2] for each in plain.attributes]
    views = [reports.clip_view(store, each) for each in (plain_id, nasty_id)]
    names = [data for tag, data in nasty.text if tag == "bdi"]
    assert views[1] is not None
    for name in (views[1].file_name, views[1].agent, views[1].team, views[1].session_name):
        assert " ".join((name or "").split()) in names
    first, second = (Page(maker.session(view.session_id)).tags for view in views if view is not None)
    assert first == second
    assert Page(maker.agent(agent)).tags == Page(maker.agent("a")).tags


@given(ANYTHING, ANYTHING)
def test_text_is_shown_as_it_was_written(name: str, other: str) -> None:
    words = Wording("en", "UTC")
    said = words.explain(Sentence("{a} beside {b}: {c:.1f}", {"a": name, "b": Sentence("{x}!", {"x": other}), "c": 1}))
    document = parts.Document(
        kind=said,
        title=words.name(name),
        plain_title=name,
        lead=said,
        badges=[words.name(other)],
        numbers=[parts.Number(words.name(name), words.name(other))],
        sections=[parts.Section(said, [parts.Table(said, [words.name(name)], [[words.name(other)]])])],
        closing=[said],
    )
    content = page.html(document, words, NOW).replace(b"\r", b"\n")
    assert {tag for tag in Page(content).tags if tag in ("script", "img", "iframe", "object", "link", "a")} == set()
    seen = [data for tag, data in Page(content).text if tag == "bdi"]
    for text in (name, other):
        if wanted := " ".join(text.split()):
            assert wanted in seen


def test_nothing_is_fetched_and_nothing_runs(store: Store, maker: Maker) -> None:
    _agent, customer = save_call(store)
    content = maker.clip(customer)
    read = Page(content)
    metas = [value for tag, name, value in read.attributes if tag == "meta" and name == "content"]
    assert page.POLICY in metas
    assert "default-src 'none'" in page.POLICY
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(read.tags)
    assert not [value for _tag, name, value in read.attributes if name in ("src", "href", "srcset", "action")]
    assert not [name for _tag, name, _value in read.attributes if name.startswith("on")]
    assert not re.search(rb"url\((?!#)|@import|@font-face", content)
    drawings = [value for tag, name, value in read.attributes if (tag, name) == ("svg", "role")]
    labels = [value for tag, name, value in read.attributes if (tag, name) == ("svg", "aria-label")]
    assert drawings == ["img"] * 3  # bars, radar, course
    assert all(labels)


def test_the_picture_of_a_course_is_that_of_the_report(store: Store, maker: Maker) -> None:
    _agent, customer = save_call(store)
    (short,) = save_call(store, "short.wav", moods={"customer": CALM}, windows=False, segments=None)
    spec = maker.course_chart(customer).to_dict()
    assert f'aria-label="{spec["description"]}"' in maker.clip(customer).decode()
    with pytest.raises(EmostoreError, match="no scores over time"):
        maker.course_chart(short)


def test_a_session_of_many_recordings_says_what_it_leaves_out(
    store: Store, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "MOST_RECORDINGS", 1)
    for number in range(2):
        ids = save_call(
            store, f"{number}.wav", moods={"customer": CALM}, windows=False, segments=None, session_name="Case 7"
        )
    view = reports.clip_view(store, ids[0])
    assert view is not None
    assert "This session has 2 recordings; the first 1 are told of." in shown(maker.session(view.session_id))
    content = json.loads(maker.session(view.session_id, "json"))
    assert (content["session"]["recordings"], content["session"]["told"], len(content["clips"])) == (2, 1, 1)


def test_stretches_hold_every_scored_window_once() -> None:
    scores = window_scores(WINDOWS)
    path = Trajectory(scores, 1.0, 3.0, np.arange(24) % 7 != 0)
    every = course.stretches(path)
    assert len(every) == path.scored.sum()
    assert [each.scores for each in every] == [tuple(row) for row in scores[path.rows].tolist()]
    few = course.stretches(path, at_most=5)
    assert len(few) == 5
    assert few[0].scores == pytest.approx(scores[:5][path.scored[:5]].mean(axis=0))
    assert (few[0].start_s, few[-1].end_s) == (0.0, 26.0)
    assert [each.end_s for each in few[:-1]] == [each.start_s for each in few[1:]]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("call.wav", "call-report.html"),
        ("../../etc/passwd", "passwd-report.html"),
        ("a/b:c*?.wav", "b_c-report.html"),
        ("通话 01.mp3", "通话 01-report.html"),
        ("\u202egnp.exe", "gnp-report.html"),
        ("...", "report-report.html"),
        ("x" * 300, "x" * 80 + "-report.html"),
    ],
)
def test_files_have_names_that_disks_take(name: str, wanted: str) -> None:
    assert report.file_name(name, "html") == wanted


# What is said in Latin letters in Chinese, too: formats, models, hashes, and the names of this test.
LATIN = re.compile(
    r"^(call|wav|Case|Ana|Blue|Bob|six|abcdef123456|none|pcm_mulaw|Hz|SHA|AI|Act|Emostore|Asia|Shanghai|UTC|EU|HTML|p|f|"
    r"[0-9a-f]{8,}|a\d\d|b\d\d)$"
)


def test_the_chinese_report_is_free_of_english(store: Store, config: Settings) -> None:
    _agent, customer = save_call(store, session_name="Case 7")
    save_weeks(store)
    view = reports.clip_view(store, customer)
    assert view is not None
    chinese = Maker(store, config, "zh")
    for content in (chinese.clip(customer), chinese.session(view.session_id), chinese.agent("Ana")):
        assert b'<html lang="zh-Hans">' in content
        found = re.findall(r"[A-Za-z_][A-Za-z0-9_]*", shown(content))
        assert [word for word in found if not LATIN.match(word)] == []


def test_a_report_says_what_is_uncertain_and_what_its_model_was_never_seen_to_give(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masked, "LEAST", 2)
    odd = np.array([3, 2.5, 0, 0, 1, -np.inf, -np.inf, -np.inf, -np.inf], np.float32)  # "sad" is cut off
    agent, customer = save_call(sqlite_store, moods={"agent": odd, "customer": odd})
    maker = Maker(sqlite_store, Settings(data_dir=tmp_path), "en")
    never = "says that it can give Sad, but gave exactly 0 in each of its latest 2 clips"
    for below, doubtful in ((0.4, False), (0.9, True)):
        preferences.save(sqlite_store, Settings(data_dir=tmp_path), uncertain_below=below)
        shown = Page(maker.clip(customer)).words()
        assert ("uncertain (" in shown) is doubtful
        assert shown.count(never) == 1
        assert "cannot give Other" in shown
        told = json.loads(maker.clip(customer, "json"))["clip"]["analysis"]
        assert (told["uncertain"], told["model"]["never_given"]) == (doubtful, ["sad"])
        (row, *_windows) = csv.DictReader(io.StringIO(maker.clip(customer, "csv").decode("utf-8-sig")))
        assert row["uncertain"] == str(doubtful).lower()
    session_id = reports.clip_rows(sqlite_store, [agent])[agent].session_id
    assert Page(maker.session(session_id)).words().count(never) == 1
