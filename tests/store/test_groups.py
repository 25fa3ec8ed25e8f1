"""Label groups that users make: their versions, what they may not be, where they are used, and the log of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from emostore import access
from emostore.analytics.alerts import AlertRule
from emostore.analytics.groups import BUILT_IN, LabelGroup
from emostore.analytics.quality import ScoringProfile
from emostore.analytics.shrinkage import clustered
from emostore.emotions import EMOTIONS
from emostore.errors import AccessError, EmostoreError, MetadataError, SettingsError
from emostore.services import alerting, groups, scoring
from emostore.store import audit
from emostore.store import groups as stored
from emostore.store.reports import agent_reports, linear_sums
from emostore.store.rollups import rollup_build
from emostore.store.rollups.rollup_reading import RANKED_ROLES
from emostore.store.session import Store
from emostore.store.writing import clips, edits
from tests.store.samples import MODEL, NOON, analysed, analysis, recording

ZONE = "Asia/Kolkata"  # its days begin at half past


def names(store: Store) -> list[str]:
    return [group.name for group in groups.available(store)]


def test_groups_are_made_changed_and_forgotten_in_versions_that_never_mean_two_things(store: Store) -> None:
    assert groups.available(store) == BUILT_IN
    first = groups.make(store, "  Frus\x00tration ", ["disgusted", "angry"])
    assert first == LabelGroup("Frustration", ("angry", "disgusted"), 1)
    assert groups.change(store, "Frustration", ["disgusted", "angry"]) == first  # nothing changed
    second = groups.change(store, "Frustration", ["angry", "sad"])
    assert groups.available(store) == (*BUILT_IN, second)
    assert (second.version, groups.named(store, "Frustration")) == (2, second)
    groups.forget(store, "Frustration")
    assert groups.available(store) == BUILT_IN
    assert groups.named(store, "Frustration") is None
    with pytest.raises(MetadataError, match="no label group of this name any more"):
        groups.forget(store, "Frustration")
    assert groups.make(store, "Frustration", ["angry"]).version == 3
    log = [(row.action, row.object_type, row.details) for row in audit.page(store).rows][::-1]
    assert [(action, details["label_group"]["version"]) for action, _, details in log] == [
        ("changed", 1),
        ("changed", 2),
        ("deleted", 2),
        ("changed", 3),
    ]
    assert log[2][2] == {"label_group": {"name": "Frustration", "version": 2}, "emotions": ["angry", "sad"]}


def test_a_group_that_would_be_mistaken_for_another_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    groups.make(store, "Frustration", ["angry", "disgusted"])
    refused: list[tuple[str, list[str], type[EmostoreError], str]] = [
        ("", ["sad"], MetadataError, "A name cannot be empty"),
        ("\u202e", ["sad"], MetadataError, "A name cannot be empty"),
        ("x" * 201, ["sad"], MetadataError, "The name of the label group has 201 characters"),
        ("x" * 81, ["sad"], SettingsError, "1 to 80 visible characters"),
        ("Negative", ["sad"], MetadataError, "There is a group negative already"),
        ("frustration", ["sad"], MetadataError, "There is a group Frustration already"),
        ("Bad", ["sad", "fearful", "disgusted", "angry"], MetadataError, "The group negative already has exactly"),
        ("Anger", ["disgusted", "angry"], MetadataError, "The group Frustration already has exactly"),
        ("All", list(EMOTIONS), SettingsError, "emotions names 9 emotions"),
        ("None", [], SettingsError, "emotions names 0 emotions"),
    ]
    for name, emotions, kind, message in refused:
        with pytest.raises(kind, match=message):
            groups.make(store, name, emotions)
    with pytest.raises(MetadataError, match="negative comes with the program"):
        groups.forget(store, "negative")
    with pytest.raises(MetadataError, match="negative comes with the program"):
        groups.change(store, "negative", ["sad"])
    with pytest.raises(MetadataError, match="The group negative already has exactly"):
        groups.change(store, "Frustration", ["sad", "fearful", "disgusted", "angry"])
    with pytest.raises(MetadataError, match="no label group of this name"):
        groups.change(store, "frustration", ["sad"])
    monkeypatch.setattr(groups, "MOST", 1)
    with pytest.raises(MetadataError, match="There are 1 groups of yours"):
        groups.make(store, "Sorrow", ["sad"])
    assert groups.change(store, "Frustration", ["angry", "fearful"]).version == 2  # one changed is none more
    assert names(store) == ["positive", "negative", "Frustration"]


def test_nobody_changes_groups_without_the_right(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "can", lambda action, subject=None: action != "administer")
    with pytest.raises(AccessError):
        groups.make(store, "Sorrow", ["sad"])
    with pytest.raises(AccessError):
        groups.change(store, "Sorrow", ["sad"])
    with pytest.raises(AccessError):
        groups.forget(store, "Sorrow")
    assert groups.available(store) == BUILT_IN


def test_what_another_version_of_the_program_wrote_is_left_out(store: Store) -> None:
    with edits.changing(store) as session:
        stored.add_version(session, "Odd", 1, {"emotions": ["tired"]}, "Ana")
    assert groups.available(store) == BUILT_IN
    groups.forget(store, "Odd")
    assert stored.active(store) == ()


def test_rules_and_profiles_that_count_a_group_are_told_and_go_on_without_it(store: Store) -> None:
    group = groups.make(store, "Frustration", ["angry", "disgusted"])
    sorrow = groups.make(store, "Sorrow", ["sad"])
    alerting.active_rules(store)
    alerting.save_rule(store, AlertRule("Mine", ("disgusted", "angry"), ">", 0.5))
    profile = scoring.save(store, ScoringProfile("Ours", negative_emotions=group.emotions))
    used = groups.uses(store, groups.available(store))
    assert used["Frustration"] == groups.Use(("Anger and disgust", "Mine"), ("Ours",))
    assert used["negative"] == groups.Use((), ("balanced", "published (unbounded)"))
    assert used["positive"].profiles == ("balanced", "published (unbounded)", "Ours")
    assert used[sorrow.name] == groups.Use()
    groups.forget(store, "Frustration")
    assert scoring.named(store, "Ours@1") == profile
    assert {each.rule.emotions for each in alerting.active_rules(store)} == {
        ("angry", "disgusted"),
        ("disgusted", "angry"),
    }


def test_sums_of_clips_are_those_of_the_roll_ups_where_both_can_tell(store: Store) -> None:
    random = np.random.default_rng(5)
    made = [
        analysis(
            number,
            recording=recording(number, happened_at=NOON + timedelta(hours=int(random.integers(0, 90)))),
            outcome=analysed(random.normal(0, 2, 9).astype(np.float32), MODEL),
            agent=("Ann", "Bob")[number % 2],
            team="North" if number % 2 else None,
            role=("customer", "mixed", "agent")[number % 3],
            session_name=f"Case {number % 4}",
        )
        for number in range(40)
    ]
    clips.save_many(store, made)
    assert rollup_build.ensure(store, ZONE)
    profile = ScoringProfile("ours", 1, 0.1, 0.2, 0.3, 0.4)
    spans: list[dict[str, Any]] = [
        {},
        {"from_date": NOON.date() + timedelta(days=1), "to_date": NOON.date() + timedelta(days=2)},
    ]
    for days in spans:
        board = agent_reports.leaderboard(store, team=None, **days)
        assert board.model is not None
        ready = {row.agent_id: row.moments for row in board.rows}
        read = linear_sums.by_agent(store, board.model.calibration_id, RANKED_ROLES, profile.coefficients(), **days)
        assert read.keys() == ready.keys()
        for agent, sums in read.items():
            assert sums.clusters == ready[agent].clusters
            ours = clustered([sums.clusters], [sums.sums], [sums.products], [0.0, 1.0])
            theirs = clustered(
                [sums.clusters], [ready[agent].sums], [ready[agent].products], profile.part_coefficients()
            )
            assert np.ravel(ours) == pytest.approx(np.ravel(theirs), rel=1e-3)
    north = agent_reports.leaderboard(store, team="North")
    assert north.model is not None
    model = north.model.calibration_id
    read = linear_sums.by_agent(store, model, RANKED_ROLES, (0.0, np.ones(9)), team="North")
    assert list(read) == [row.agent_id for row in north.rows]
    assert linear_sums.by_agent(store, model, RANKED_ROLES, (0.0, np.ones(9)), team="?") == {}
