"""Any combination of filters, led by any condition, shows what plain Python would keep of the rows."""

from __future__ import annotations

import math
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.store import preferences
from emostore.store.alerts import alert_rules, alerts
from emostore.store.calibration import labels
from emostore.store.calibration.labels import NewLabel
from emostore.store.reports import alert_reports, history, history_query
from emostore.store.reports.history import EmotionGroup, HistoryFilter
from emostore.store.reports.views import HistoryRow
from emostore.store.session import Store
from emostore.store.tables.report_models import ALERT_STATES
from emostore.store.writing import clips, edits
from tests.store.samples import MODEL, NOON, OTHER_MODEL, analysed, analysis, recording

COUNT = 60
MODELS = {"mine": (MODEL.name, MODEL.revision), "other": (OTHER_MODEL.name, OTHER_MODEL.revision)}
FIRST = NOON.date()


@pytest.fixture(scope="module")
def made() -> list[clips.NewAnalysis]:
    """Clips of everything that filters ask about, some analysed by two models, some without speech."""
    random = np.random.default_rng(11)
    found = []
    for number in range(COUNT):
        source = recording(
            number,
            happened_at=NOON + timedelta(hours=int(random.integers(0, 200))),
            scenario=("teaching", None)[number % 2],
        )
        agent, team = [("Ann", "North"), ("Bob", "North"), ("Cyd", "South"), (None, None)][number % 4]
        about: dict[str, Any] = {
            "recording": source,
            "agent": agent,
            "team": team,
            "role": ("agent", "customer", "unknown")[number % 3],
            "session_name": f"Case {number % 5}" if number % 2 else None,
        }
        for model in [MODEL, OTHER_MODEL] if number % 3 == 0 else [MODEL]:
            logits = random.normal(0, 2, 9).astype(np.float32)
            if number % 10 == 9:
                found.append(analysis(number, model=model, outcome=clips.NoSpeech("silence"), **about))
                continue
            alert = tuple(
                clips.NewAlert(1, "high", 0.7, 0.6, float(i), i + 1.0) for i in range(int(random.integers(0, 3)))
            )
            when = NOON + timedelta(hours=int(random.integers(0, 9)))
            one = analysis(number, model=model, outcome=analysed(logits, model), analysed_at=when, **about)
            found.append(clips.NewAnalysis(one.clip, one.model, one.outcome, one.analysed_at, alerts=alert))
    return found


@pytest.fixture
def filled(store: Store, made: list[clips.NewAnalysis]) -> Store:
    with edits.changing(store) as session:
        alert_rules.add_version(session, "r", {}, "")
    clips.save_many(store, made)
    with edits.changing(store) as session:
        preferences.write(session, {"uncertain_below": 0.6})
        for alert_id in range(1, 40):
            alerts.set_state(session, [alert_id], ALERT_STATES[alert_id % 4], "Ana")  # type: ignore[arg-type]
        for clip_id in range(1, COUNT, 4):
            for rater in ("Ana", "Bob")[: clip_id % 3]:
                labels.save(session, clip_id, rater, NewLabel("sad"))
    return store


@cache  # nothing is written while filters are tried
def known_of(store: Store) -> tuple[dict[int, list[tuple[str, str]]], set[int]]:
    """Alerts by clip, as state and model, and the clips with a label."""
    raised: dict[int, list[tuple[str, str]]] = {}
    for alert in alert_reports.queue(store, limit=1000).rows:
        raised.setdefault(alert.clip_id, []).append((alert.state, alert.model))
    return raised, {clip_id for clip_id, _ in labels.ratings(store)}


@cache
def rows_of(store: Store, model: str | None) -> list[HistoryRow]:
    return list(history.stream(store, HistoryFilter(model=MODELS[model] if model else None)))


def sums_to(scores: EmotionScores, group: EmotionGroup, low: float, high: float) -> bool:
    return low - 1e-9 <= math.fsum(scores[name] for name in group.emotions) <= high + 1e-9


def fits(row: HistoryRow, wanted: HistoryFilter, raised: dict[int, list[tuple[str, str]]], heard: set[int]) -> bool:
    scores = row.scores
    states = [state for state, model in raised.get(row.clip_id, []) if wanted.model in (None, (model, row.revision))]
    plain = {"agent": row.agent, "team": row.team, "session_id": row.session_id, "role": row.role}
    plain |= {"status": row.status, "scenario": row.scenario, "emotion": scores.dominant if scores else None}
    return (
        all(getattr(wanted, name) in (None, value) for name, value in plain.items())
        and (wanted.from_date is None or row.happened_at.date() >= wanted.from_date)
        and (wanted.to_date is None or row.happened_at.date() <= wanted.to_date)
        and (row.clip_id in heard or not wanted.labelled)
        and (wanted.certain is None or (scores is not None and (scores.confidence >= 0.6) is wanted.certain))
        and all(scores is not None and low <= scores[name] <= high for name, low, high in wanted.scores)
        and (wanted.group is None or (scores is not None and scores.dominant in wanted.group.emotions))
        and (wanted.group_sum is None or (scores is not None and sums_to(scores, *wanted.group_sum)))
        and (
            wanted.alert is None or bool(states if wanted.alert == "any" else [s for s in states if s == wanted.alert])
        )
    )


maybe_score = st.tuples(
    st.sampled_from(EMOTIONS), st.sampled_from([0.0, 0.1, 0.25, 0.6]), st.sampled_from([0.3, 0.9, 1.0])
)
group_of = st.lists(st.sampled_from(EMOTIONS), min_size=1, max_size=4, unique=True).map(
    lambda names: EmotionGroup("some", tuple(names))
)
group_sums = st.tuples(group_of, st.sampled_from([0.0, 0.45, 0.8, 0.95]), st.sampled_from([0.3, 0.97, 1.0]))
wanted_filters: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    group=st.none() | st.none() | group_of,
    group_sum=st.none() | st.none() | group_sums,
    agent=st.sampled_from([None, None, "Ann", "Cyd", "Nobody"]),
    team=st.sampled_from([None, None, None, "North", "Nowhere"]),
    session=st.sampled_from([None, None, None, 0, 7]),
    days=st.tuples(st.none() | st.integers(0, 9), st.none() | st.integers(0, 9)),
    emotion=st.sampled_from([None, None, "angry", "happy", "sad"]),
    role=st.sampled_from([None, None, "agent", "unknown", "mixed"]),
    model=st.sampled_from([None, None, "mine", "other"]),
    status=st.sampled_from([None, None, None, "no_speech", "analysed"]),
    scenario=st.sampled_from([None, None, None, "teaching"]),
    scores=st.lists(maybe_score, max_size=2),
    alert=st.sampled_from([None, None, None, "any", "open", "resolved"]),
    certain=st.sampled_from([None, None, True, False]),
    labelled=st.sampled_from([False, False, True]),
    enough=st.sampled_from([3, 20, 50_000]),
    limit=st.integers(1, 9),
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=wanted_filters)
def test_any_filter_shows_the_same_as_looking_at_every_row(filled: Store, asked: dict[str, Any]) -> None:
    store = filled
    everything = rows_of(store, None)
    sessions = sorted({row.session_id for row in everything})
    first, last = asked.pop("days")
    session, model = asked.pop("session"), asked.pop("model")
    enough, limit = asked.pop("enough"), asked.pop("limit")
    wanted = HistoryFilter(
        **{**asked, "scores": tuple(asked["scores"])},
        session_id=None if session is None else sessions[session],
        from_date=None if first is None else FIRST + timedelta(days=first),
        to_date=None if last is None else FIRST + timedelta(days=last),
        model=MODELS[model] if model else None,
    )
    raised, heard = known_of(store)
    expected = [row.clip_id for row in rows_of(store, model) if fits(row, wanted, raised, heard)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history_query, "ENOUGH", enough)
        page = history.search(store, wanted, limit)
        assert (page.count, page.more, page.previous) == (len(expected), False, None)
        seen = [page]
        while page.next:
            page = history.search(store, wanted, limit, before=page.next)
            seen.append(page)
        assert [row.clip_id for each in seen for row in each.rows] == expected
        for earlier in reversed(seen[:-1]):
            assert page.previous is not None
            page = history.search(store, wanted, limit, after=page.previous)
            assert (page.rows, page.next, page.previous) == (earlier.rows, earlier.next, earlier.previous)
    assert [row.clip_id for row in history.stream(store, wanted, at_once=7)] == expected


@pytest.mark.parametrize(
    ("asked", "lead"),
    [
        ({}, "time"),
        ({"agent": "Ann"}, "agent"),
        ({"role": "unknown"}, "role"),
        ({"emotion": "angry"}, "emotion"),
        ({"team": "South", "role": "agent"}, "team"),
        ({"scores": (("angry", 0.95, 1.0),)}, "score"),
        ({"scores": (("neutral", 0.0, 0.1),)}, "scored"),
        ({"group": EmotionGroup("some", ("angry", "sad"))}, "group"),
        ({"group": EmotionGroup("some", ("angry", "sad")), "emotion": "angry"}, "emotion"),
        ({"group_sum": (EmotionGroup("some", ("angry", "sad")), 0.95, 1.0)}, "sum"),
        ({"group_sum": (EmotionGroup("some", ("angry", "sad")), 0.3, 1.0)}, "scored"),
        ({"group_sum": (EmotionGroup("some", ("angry", "sad")), 0.0, 0.2)}, "scored"),
        ({"alert": "open"}, "alert"),
        ({"alert": "any"}, "time"),
        ({"status": "no_speech"}, "status"),
        ({"agent": "Ann", "session_id": 1, "emotion": "angry", "to_date": date(2027, 1, 1)}, "session"),
    ],
)
def test_the_rarest_condition_leads(filled: Store, asked: dict[str, Any], lead: str) -> None:
    with filled.reading() as session:
        assert history_query.prepare(session, HistoryFilter(**asked)).lead == lead


def test_an_export_is_of_one_moment(filled: Store) -> None:
    rows = history.stream(filled, at_once=10)
    first = [next(rows).clip_id for _ in range(5)]
    clips.save(filled, analysis("later", recording=recording("later", happened_at=NOON)))
    rest = [row.clip_id for row in rows]
    assert len(first + rest) == len(set(first + rest)) == COUNT
