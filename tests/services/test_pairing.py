"""Which files are the two sides of one call, by their names, and what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from emostore import audio
from emostore.services.metadata.descriptions import Description
from emostore.services.metadata.pairing import Pair, linked, pairs

NOTHING = Description()


def found(*names: str) -> list[tuple[str, str]]:
    return [(names[pair.first], names[pair.second]) for pair in pairs(names, [NOTHING] * len(names))]


@pytest.mark.parametrize(
    ("agent", "customer"),
    [
        ("4711_agent.wav", "4711_caller.wav"),
        ("Agent-4711.WAV", "customer-4711.wav"),
        ("4711-out.wav", "4711-in.wav"),
        ("4711.tx.wav", "4711.rx.wav"),
        ("4711_left.wav", "4711_right.wav"),
        ("4711坐席.wav", "4711客户.wav"),
        ("agent/4711.wav", "caller/4711.wav"),
        ("in_2026_agent.wav", "in_2026_client.wav"),
    ],
)
def test_files_that_differ_by_the_side_alone_are_a_pair_in_any_order(agent: str, customer: str) -> None:
    assert found(agent, "other.wav", customer) == [(agent, customer)]
    assert found(customer, agent) == [(agent, customer)]


@pytest.mark.parametrize(
    "names",
    [
        ("a_agent.wav", "b_caller.wav"),
        ("agents.wav", "callers.wav"),
        ("meeting.wav", "outmeeting.wav"),
        ("x_agent.wav", "x_agent.wav"),
        ("x_agent.wav", "x_caller.wav", "x_customer.wav"),
        ("x_agent.wav", "x_caller.mp3"),
        ("x_left_agent.wav", "x_right_agent.wav", "x_left_caller.wav", "x_right_caller.wav"),
        (),
    ],
)
def test_what_may_be_something_else_is_not_paired(names: tuple[str, ...]) -> None:
    assert found(*names) == []


def test_files_of_two_sessions_are_not_paired() -> None:
    names = ["x_agent.wav", "x_caller.wav"]
    about = [Description(session="Monday"), Description(session="Tuesday")]
    assert pairs(names, about) == ()
    assert pairs(names, [about[0], about[0]]) == (Pair(0, 1),)


def test_each_file_of_a_pair_gets_its_role_and_knows_the_other(tmp_path: Path) -> None:
    names = ["x_right.wav", "alone.wav", "x_left.wav"]
    paths = [tmp_path / name for name in names]
    for path in paths:
        path.write_text(path.name)
    about = [Description(agent="Ana", roles=("mixed",), sides=("customer", "agent"))] * 3
    told = linked(paths, about, pairs(names, about))
    assert [each.roles for each in told] == [("agent",), ("mixed",), ("customer",)]
    assert [each.other_side for each in told] == [audio.content_hash(paths[2]), None, audio.content_hash(paths[0])]
    assert {each.agent for each in told} == {"Ana"}
    paths[0].unlink()
    assert linked(paths, about, pairs(names, about)) == tuple(about)
