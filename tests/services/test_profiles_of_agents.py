"""One agent beside the team, and how things stand: what the pages say, from clips with known scores."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from emostore.analytics.quality import PUBLISHED, service_quality_score
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.services.views import agent_profile, standing
from emostore.store.reports.history import HistoryFilter
from emostore.store.session import Store
from emostore.store.writing import clips, records

TODAY = date(2026, 3, 31)
MODEL = records.ModelRevisionKey("nine", "1", 2, EMOTIONS, "none")
FIT = HistoryFilter(agent="Ana")


def scores(happy: float) -> EmotionScores:
    """A voice that is happy so far, and else neutral, with some of everything."""
    rest = (1 - happy - 0.4) / 7
    return EmotionScores(tuple(happy if name == "happy" else 0.4 if name == "neutral" else rest for name in EMOTIONS))


def analysis(number: int, day: date, given: EmotionScores, **about: Any) -> records.NewAnalysis:
    recording = records.NewRecording(
        sha256=f"{number:064}",
        file_name=f"{number}.wav",
        byte_count=10,
        duration_s=60.0,
        sample_rate=8000,
        channel_count=1,
        container="wav",
        codec="pcm_s16le",
        uploaded_at=datetime(2026, 3, 31, tzinfo=UTC),
        happened_at=datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=10),
        happened_at_source="given",
    )
    clip = records.NewClip(recording, 0, 60.0, 50.0, **{"role": "customer", **about})
    outcome = records.Analysed(np.zeros(9, np.float32), given, embedding=np.zeros(2, np.float32))
    return records.NewAnalysis(clip, MODEL, outcome, datetime(2026, 3, 31, 12, tzinfo=UTC))


@pytest.fixture
def filled(store: Store) -> Store:
    """Ana (team Blue) gets happier by the week, Bob (Blue) and Eve (Red) stay, all with calls every day for 8 weeks."""
    random = np.random.default_rng(1)
    made = []
    for back in range(56):
        for who, team, happy in (("Ana", "Blue", 0.5 - 0.005 * back), ("Bob", "Blue", 0.25), ("Eve", "Red", 0.25)):
            given = scores(float(np.clip(happy + random.normal(0, 0.03), 0.02, 0.58)))
            made.append(analysis(len(made), TODAY - timedelta(back), given, agent=who, team=team))
    clips.save_many(store, made)
    return store


def test_an_agents_means_are_those_of_the_clips_and_intervals_hold_them(filled: Store) -> None:
    found = agent_profile.load(filled, FIT, by_week=True)
    assert found is not None
    assert found.quality is not None
    assert found.quality.low is not None
    assert found.quality.high is not None
    mean = {name: estimate.value for name, estimate in found.scores.items()}
    assert sum(mean.values()) == pytest.approx(1)
    assert found.quality.value == pytest.approx(service_quality_score(mean), abs=1e-3)
    assert found.quality.low < found.quality.value < found.quality.high
    assert found.others_quality is not None
    assert found.quality.value > found.others_quality.value  # Bob is of the team, too
    assert found.header.team == "Blue"
    assert found.apart("happy")
    assert not found.apart("neutral")  # the same for all


def test_points_of_series_belong_together(filled: Store) -> None:
    for by_week, count in ((True, 8), (False, 56)):
        found = agent_profile.load(filled, FIT, by_week=by_week)
        assert found is not None
        assert len(found.header.series) - count in (0, 1)  # the first week may begin before the clips
        assert len(found.qualities) == len(found.score_series) == len(found.header.series)
        assert len(found.others_qualities) == len(found.header.others_series)
        for point, quality, mean in zip(found.header.series, found.qualities, found.score_series, strict=True):
            of_sums = point.totals.mean_scores
            assert of_sums is not None
            assert {name: each.value for name, each in mean.items()} == pytest.approx(of_sums, abs=1e-5)
            assert quality.value == pytest.approx(service_quality_score(of_sums), abs=1e-3)


def test_days_role_and_profile_are_those_asked_for(filled: Store) -> None:
    week = HistoryFilter(agent="Ana", from_date=TODAY - timedelta(6), to_date=TODAY)
    found = agent_profile.load(filled, week, by_week=False, profile=PUBLISHED)
    assert found is not None
    assert found.quality is not None
    assert found.header.totals.clips == 7
    assert found.quality.value > 100  # not bounded
    nothing = agent_profile.load(filled, FIT, by_week=False, roles=["agent"])
    assert nothing is not None
    assert (nothing.quality, nothing.scores, nothing.qualities) == (None, {}, ())


def test_nobody_has_no_profile(filled: Store) -> None:
    assert agent_profile.load(filled, HistoryFilter(), by_week=True) is None
    assert agent_profile.load(filled, HistoryFilter(agent="nobody"), by_week=True) is None


def test_today_stands_beside_the_days_before_and_who_moved_is_named(filled: Store) -> None:
    found = standing.load(filled, "UTC", TODAY)
    assert (found.is_today, found.today, len(found.days), len(found.volume)) == (True, TODAY, 29, 29)
    assert found.usual_clips == pytest.approx(3)
    assert found.quality is not None
    assert found.usual_quality is not None
    assert found.quality.value > found.usual_quality.value
    ((mover, change),) = found.movers  # Ana, and neither of the others
    assert mover.agent == "Ana"
    assert 0 < change.low <= change.estimate <= change.high
    assert change.now > change.before


def test_an_empty_store_stands_still(store: Store) -> None:
    found = standing.load(store, "UTC", TODAY)
    assert found == standing.Standing(None, TODAY, True, (), (), None, None, {}, ())


def test_where_nothing_is_of_late_the_last_day_with_clips_counts(filled: Store) -> None:
    found = standing.load(filled, "UTC", TODAY + timedelta(400))
    assert (found.is_today, found.today) == (False, TODAY)
    assert found.quality is not None
