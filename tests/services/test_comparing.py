"""Samples for the Compare page: by whom, of which days and voices, and of one model only."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from emostore import access
from emostore.analytics.comparison import TARGETS
from emostore.errors import AccessError, MetadataError
from emostore.services.views import comparing
from emostore.services.views.comparing import Comparison, Span, Thing
from emostore.store import migrate, profiles
from emostore.store.reports import search
from emostore.store.session import Store, create_store
from tests.app.calls import ANGRY, CALM, GLAD, NOW, SIX, call, calls, varied

ANA, BOB = Thing("agent", "Ana"), Thing("agent", "Bob")
COMPLAINT = Thing("case", "complaint")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = create_store(f"sqlite:///{tmp_path / 'emostore.db'}")
    migrate.upgrade(store)
    return store


def scores(found: Comparison, number: int = 0) -> dict[str, float]:
    mean = found.samples[number].mean
    assert mean is not None
    return dict(mean.scores)


@pytest.mark.parametrize("text", ["agent:a:b", "session:7", "clip:12", "case:teaching", "agent:case:x"])
def test_what_an_address_names_is_written_as_it_was_read(text: str) -> None:
    thing = Thing.read(text)
    assert thing is not None
    assert thing.text == text


def test_a_call_that_lasts_longer_counts_more(store: Store) -> None:
    call(store, "a.wav", GLAD)
    call(store, "b.wav", CALM)
    found = comparing.compare(store, [ANA])
    assert scores(found)["happy"] == pytest.approx(0.45)  # both last a minute
    assert (found.samples[0].clips, found.samples[0].mean.sessions) == (2, 2)  # type: ignore[union-attr]


def test_the_days_before_a_date_and_from_it_on_miss_nothing_and_count_nothing_twice(store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 10))
    for ago in range(12):
        split = (NOW - timedelta(days=ago)).date()
        found = comparing.compare(store, [ANA], span=Span(split=split))
        assert sum(sample.clips for sample in (*found.samples, *found.empty)) == 10
        assert {sample.half for sample in (*found.samples, *found.empty)} == {"before", "after"}


@pytest.mark.parametrize("split", [date.min, date(1, 1, 2), date.max])
def test_the_ends_of_time_can_be_split_at(store: Store, split: date) -> None:
    calls(store, "Ana", [GLAD])
    found = comparing.compare(store, [ANA], span=Span(split=split))
    assert sum(sample.clips for sample in (*found.samples, *found.empty)) == 1


def test_two_agents_are_not_split(store: Store) -> None:
    calls(store, "Ana", [GLAD])
    calls(store, "Bob", [GLAD])
    found = comparing.compare(store, [ANA, BOB], span=Span(split=NOW.date()))
    assert [sample.half for sample in found.samples] == ["", ""]


def test_every_sample_is_of_the_model_of_the_first(store: Store) -> None:
    calls(store, "Ana", [GLAD])
    calls(store, "Bob", [ANGRY], model=SIX)
    found = comparing.compare(store, [ANA, BOB], model=("nine", "abcdef123456"))
    assert [sample.name for sample in found.samples] == ["Ana"]
    assert [sample.name for sample in found.empty] == ["Bob"]
    assert found.model is not None
    assert found.model.name == "nine"
    six = comparing.compare(store, [BOB], model=("six", "fedcba654321"))
    assert six.samples[0].missing == ("other", "surprised", "unknown")


def test_a_case_stays_as_published_and_takes_part_without_an_interval(store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 5))
    found = comparing.compare(store, [COMPLAINT, ANA])
    assert sum(scores(found).values()) == pytest.approx(0.999)
    apart = comparing.difference(found.samples[0], found.samples[1])
    assert apart.values["angry"] == pytest.approx(0.421)
    assert (apart.real, apart.low) == ((), None)
    assert apart.note is not None


def test_distances_reach_to_the_built_in_targets_and_to_saved_ones(store: Store) -> None:
    with store.transaction() as session:
        profiles.save_target(session, "Ours", GLAD, "Tim")
    calls(store, "Ana", [GLAD] * 3)
    samples = comparing.compare(store, [ANA, COMPLAINT]).samples
    targets = comparing.targets(store)
    assert [target.name for target in targets] == [*(each.name for each in TARGETS), "Ours"]
    found = comparing.distances(samples, targets)
    assert found.to_targets[0][3] == pytest.approx(0.0, abs=1e-6)
    assert found.to_targets[1][1] == pytest.approx(0.0, abs=1e-6)  # the complaint, to itself
    assert found.between[0][1] == pytest.approx(found.between[1][0])
    assert found.between[0][0] == pytest.approx(0.0, abs=1e-6)


def test_the_mean_of_a_sample_is_kept_as_a_target_and_forgotten(store: Store) -> None:
    calls(store, "Ana", [GLAD] * 3)
    samples = comparing.compare(store, [ANA]).samples
    for _again in range(2):
        comparing.keep_target(store, "Ours", samples[0])
    *built_in, ours = comparing.targets(store)
    assert (ours.name, ours.built_in, len(built_in)) == ("Ours", False, len(TARGETS))
    assert comparing.distances(samples, [ours]).to_targets == ((pytest.approx(0.0, abs=1e-6),),)
    comparing.forget_target(store, "Ours")
    assert list(comparing.targets(store)) == built_in


@pytest.mark.parametrize("name", ["", "  ", TARGETS[0].name, TARGETS[0].name.upper() + " ", "x" * 201])
def test_a_target_needs_a_name_of_its_own(store: Store, name: str) -> None:
    sample = comparing.compare(store, [COMPLAINT]).samples[0]
    with pytest.raises(MetadataError):
        comparing.keep_target(store, name, sample)
    assert len(comparing.targets(store)) == len(TARGETS)


def test_targets_are_kept_and_forgotten_by_those_who_may(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = comparing.compare(store, [COMPLAINT]).samples[0]
    monkeypatch.setattr(access, "can", lambda action, subject=None: action != "administer")
    with pytest.raises(AccessError):
        comparing.keep_target(store, "Ours", sample)
    with pytest.raises(AccessError):
        comparing.forget_target(store, "Ours")


def test_the_axis_ends_at_the_tenth_above_the_highest_score() -> None:
    assert comparing.scale([{"happy": 0.41}, {"sad": 0.2}]) == 0.5
    assert comparing.scale([{"happy": 1.0}]) == 1.0


class TestSearch:
    def test_it_finds_agents_sessions_and_clips_by_a_part_of_their_name(self, store: Store) -> None:
        call(store, "Angebot.wav", agent="Ana", session="Mango")
        found = [(each.kind, each.name) for each in search.find(store, "ANG")]
        assert found == [("session", "Mango"), ("clip", "Angebot.wav")]
        assert [each.key for each in search.find(store, "an")] == ["Ana", "1", "1"]

    def test_a_number_finds_the_clip(self, store: Store) -> None:
        identifier = call(store, "x.wav")
        assert [each.key for each in search.find(store, str(identifier))] == [str(identifier)]

    @pytest.mark.parametrize("text", ["", "  ", "%", "_", "\x00", "9" * 50, "'; DROP TABLE agents; --", "x" * 10_000])
    def test_what_fits_nothing_finds_nothing(self, store: Store, text: str) -> None:
        call(store, "call.wav", session="Case")
        assert search.find(store, text) == ()

    def test_each_kind_is_bounded(self, store: Store) -> None:
        for number in range(4):
            call(store, f"call {number}.wav", agent=f"calling {number}", session=f"call {number}")
        kinds = [each.kind for each in search.find(store, "call", limit=2)]
        assert kinds == ["agent", "agent", "session", "session", "clip", "clip"]
