"""What the names in a filter stand for, and the scores of one agent's clips."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from emostore.emotions import EMOTIONS
from emostore.store.reports import agent_reports, agent_scores, filter_names, history
from emostore.store.reports.agent_scores import clip_scores
from emostore.store.reports.history import HistoryFilter
from emostore.store.session import Store
from emostore.store.writing import clips
from tests.store.samples import MODEL, NOON, OTHER_MODEL, analysed, analysis, recording, statements

HOUR = timedelta(hours=1)


def test_names_that_are_there_are_told_from_those_that_are_not(store: Store) -> None:
    clips.save(store, analysis(agent="Ana", team="Blue", session_name="Case 7"))
    (row,) = history.search(store).rows
    known = HistoryFilter(agent="Ana", team="Blue", session_id=row.session_id, model=(MODEL.name, MODEL.revision))
    with statements(store) as sent:
        found = filter_names.look_up(store, known)
    assert len([each for each in sent if each.startswith("SELECT")]) == 1
    assert found == filter_names.FilterNames(agent=True, team=True, model=True, session="Case 7")
    strange = HistoryFilter(agent="ana", team="'; --", session_id=row.session_id + 1, model=(MODEL.name, "x"))
    assert filter_names.look_up(store, strange) == filter_names.FilterNames(False, False, False, None)
    assert filter_names.look_up(store, HistoryFilter()) == filter_names.FilterNames(True, True, True, None)


def test_the_scores_of_an_agent_are_those_of_the_list_and_add_up_to_the_roll_ups(store: Store) -> None:
    random = np.random.default_rng(3)
    for number in range(12):
        source = recording(number, happened_at=NOON + timedelta(days=number))
        agent, role = ("Ana", "Bob")[number % 3 == 0], ("customer", "agent", "mixed")[number % 3 - 1]
        outcome = analysed(random.normal(0, 1, 9).astype(np.float32))
        clips.save(store, analysis(number, recording=source, outcome=outcome, agent=agent, role=role))
    clips.save(store, analysis(1, recording=recording(1, happened_at=NOON), model=OTHER_MODEL))
    model = (MODEL.name, MODEL.revision)
    header = agent_reports.agent_header(store, "Ana", model=model)
    assert header is not None
    assert header.model is not None
    found = clip_scores(store, header.agent_id, header.model.calibration_id, ("customer", "mixed"))
    assert len(found.days) == header.totals.clips > 0
    assert found.scores.sum(axis=0) == pytest.approx(header.totals.sums, abs=1e-5)
    assert (np.diff(found.days) >= 0).all()
    expected = {row.session_id for row in history.search(store, HistoryFilter(agent="Ana", model=model)).rows}
    assert set(found.sessions.tolist()) <= expected


def test_days_are_those_of_the_time_zone_and_only_so_many_clips_are_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        source = recording(number, happened_at=NOON.replace(hour=20) + number * HOUR)  # the day ends among them
        clips.save(store, analysis(number, recording=source, agent="Ana", role="customer"))
    header = agent_reports.agent_header(store, "Ana")
    assert header is not None
    assert header.model is not None
    who = (header.agent_id, header.model.calibration_id, ["customer"])
    shanghai = clip_scores(store, *who, time_zone="Asia/Shanghai")
    assert shanghai.days.tolist() == [date(2026, 3, 2).toordinal()] * 4
    berlin = clip_scores(store, *who, from_date=date(2026, 3, 2), time_zone="Europe/Berlin")
    assert len(berlin.days) == 1
    monkeypatch.setattr(agent_scores, "MOST_CLIPS", 2)
    assert len(clip_scores(store, *who).days) == 2
    nobody = clip_scores(store, -5, header.model.calibration_id, ["customer"])
    assert nobody.scores.shape == (0, len(EMOTIONS))
