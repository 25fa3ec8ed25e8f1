"""Ranking of agents from the store's sums, and the scoring profiles that it goes by."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from emostore import access
from emostore.analytics.quality import BALANCED, PUBLISHED, ScoringProfile, service_quality_score
from emostore.analytics.ranking import AgentSample, rank
from emostore.errors import AccessError, MetadataError
from emostore.services import scoring
from emostore.services.views import ranking
from emostore.store import migrate
from emostore.store.session import Store, create_store
from tests.app.calls import ANGRY, CALM, GLAD, NOW, ODD_NAME, call, calls, mixed, varied


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = create_store(f"sqlite:///{tmp_path / 'emostore.db'}")
    migrate.upgrade(store)
    return store


OTHER_PARTS = ScoringProfile("happy", positive_emotions=("happy",), negative_emotions=("angry", "disgusted"))


@pytest.mark.parametrize("profile", [BALANCED, PUBLISHED, ScoringProfile("ours", 1, 0.1, 0.2, 0.3, 0.4), OTHER_PARTS])
def test_sums_of_the_store_give_the_ranking_that_single_scores_give(store: Store, profile: ScoringProfile) -> None:
    moods = {"Ana": varied(GLAD, 7), "Bob": varied(CALM, 6), "Cem": varied(mixed(ANGRY, GLAD), 9), "Dee": [ANGRY]}
    for agent, each in moods.items():
        calls(store, agent, each)
    samples = []
    for number, each in enumerate(moods.values(), 1):
        values = np.array([service_quality_score(scores, profile) for scores in each])
        variance = float(values.var(ddof=1) / len(values)) if len(values) > 1 else None
        samples.append(AgentSample(number, None, len(values), len(values), float(values.mean()), variance))
    expected = rank(samples)
    found = ranking.board(store, profile)
    assert [place.standing.sample.agent_id for place in found.places] == [each.sample.agent_id for each in expected]
    for place, standing in zip(found.places, expected, strict=True):
        assert place.standing.estimate == pytest.approx(standing.estimate, abs=0.01)  # sums keep six decimals
        assert place.standing.rank == standing.rank
    every = [service_quality_score(scores, profile) for each in moods.values() for scores in each]
    assert found.mean == pytest.approx(np.mean(every), abs=1e-3)


@pytest.mark.parametrize("profile", [BALANCED, OTHER_PARTS])
def test_clips_of_one_session_are_one_piece_of_evidence(store: Store, profile: ScoringProfile) -> None:
    for number in range(6):
        call(store, f"{number}.wav", varied(GLAD, 6)[number], session="one")
    (place,) = ranking.board(store, profile).places
    assert (place.row.clips, place.standing.sample.sessions) == (6, 1)
    assert place.standing.rank is None


def test_intervals_end_where_the_score_does(store: Store) -> None:
    for agent in ("Ana", "Bob"):
        calls(store, agent, [{"happy": 1.0}, {"happy": 0.9, "sad": 0.1}] * 3)
    for place in ranking.board(store).places:
        assert place.standing.high is not None
        assert place.standing.high <= 100


@pytest.mark.parametrize("profile", [BALANCED, OTHER_PARTS])
def test_an_empty_store_has_an_empty_ranking(store: Store, profile: ScoringProfile) -> None:
    found = ranking.board(store, profile)
    assert (found.places, found.mean, found.model) == ((), None, None)


def test_an_agent_without_a_ranked_voice_is_in_no_ranking(store: Store) -> None:
    call(store, "unknown.wav", role="unknown")
    call(store, "agent.wav", role="agent", agent="Bob")
    found = ranking.board(store)
    assert found.places == ()
    assert found.unknown == 1


def test_nobody_may_rank_agents_by_their_own_voices(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    calls(store, "Ana", [GLAD], role="agent")
    assert not access.can("rank_agents")
    with pytest.raises(AccessError):
        ranking.board(store, voices="agent")
    monkeypatch.setattr(access, "can", lambda action, subject=None: True)
    assert len(ranking.board(store, voices="agent").places) == 1


def test_the_table_to_take_away_runs_no_formula_and_holds_every_agent(store: Store) -> None:
    calls(store, "=1+1", varied(GLAD, 6), team="@SUM(A1)")
    calls(store, ODD_NAME, [CALM])
    written = ranking.as_csv(ranking.board(store))
    assert written.startswith(b"\xef\xbb\xbf")
    first, second = csv.DictReader(io.StringIO(written.decode("utf-8-sig"), newline=""))
    assert (first["agent"], first["team"], first["rank"]) == ("'=1+1", "'@SUM(A1)", "1")
    assert (second["agent"], second["rank"]) == (ODD_NAME, "")
    assert first["profile"] == "balanced v1"


@pytest.mark.parametrize("profile", [BALANCED, OTHER_PARTS])
def test_a_trend_has_a_point_for_each_time_with_calls(store: Store, profile: ScoringProfile) -> None:
    calls(store, "Ana", [GLAD, CALM])
    days, (points,) = ranking.trends(store, ranking.board(store, profile).places, profile)
    assert days == 1
    expected = [service_quality_score(CALM, profile), service_quality_score(GLAD, profile)]
    assert points == pytest.approx(expected, abs=1e-3)


def test_a_ranking_by_parts_of_its_own_is_of_the_asked_team_days_and_voices(store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 6), team="North")
    calls(store, "Bob", varied(CALM, 6), team="South")
    calls(store, "Cem", [ANGRY], role="agent")
    assert [place.row.agent for place in ranking.board(store, OTHER_PARTS).places] == ["Ana", "Bob"]
    assert [place.row.agent for place in ranking.board(store, OTHER_PARTS, team="South").places] == ["Bob"]
    (ana, _bob) = ranking.board(store, OTHER_PARTS, from_date=(NOW - timedelta(days=3)).date()).places
    assert (ana.row.clips, ana.standing.sample.sessions) == (3, 3)
    assert ranking.board(store, OTHER_PARTS, team="Nowhere").places == ()


class TestProfiles:
    def test_each_edit_is_a_version_and_older_ones_stay(self, store: Store) -> None:
        first = scoring.save(store, ScoringProfile("Ours", 1, 0.25, 0.25, 0.25, 0.25))
        second = scoring.save(store, ScoringProfile("Ours", 1, 0.7, 0.1, 0.1, 0.1, "published"))
        assert (first.version, second.version) == (1, 2)
        assert scoring.available(store)[2:] == (second,)
        assert scoring.named(store, scoring.name_of(first)) == first

    def test_built_in_names_are_kept(self, store: Store) -> None:
        with pytest.raises(MetadataError, match="balanced is built in"):
            scoring.save(store, ScoringProfile("balanced"))

    @pytest.mark.parametrize("text", [None, "", "balanced", "balanced@2", "@", "x@1", "Ours@" + "9" * 30, "Ours@１"])
    def test_what_names_no_profile_is_none(self, store: Store, text: str | None) -> None:
        assert scoring.named(store, text) is None
