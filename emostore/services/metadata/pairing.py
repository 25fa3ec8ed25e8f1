"""Files that are the two sides of one call, told by their names: `4711_agent.wav` beside `4711_caller.wav`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emostore import audio
from emostore.errors import AudioError
from emostore.services.metadata.descriptions import DEFAULT_SIDES, Description, Sides
from emostore.store.writing.names import clean

# Words for the two sides. What a recorder calls "out" or "tx" it sends to the caller: the agent's voice.
_WORDS = (
    (("agent", "坐席", "客服"), ("caller", "customer", "client", "客户", "顾客")),
    (("out", "tx"), ("in", "rx")),
    (("left",), ("right",)),
)
_LEFT_RIGHT = 2  # of these, the uploader says whose voice is which


@dataclass(frozen=True, slots=True)
class Pair:
    """The places of two files among others, and whether only left and right tell them apart."""

    first: int
    second: int
    by_channel: bool = False

    def roles(self, sides: Sides | None) -> Sides:
        """Whose voice the first is and whose the second; left and right are as the uploader said."""
        return (sides or DEFAULT_SIDES) if self.by_channel else DEFAULT_SIDES


def pairs(names: Sequence[str], descriptions: Sequence[Description]) -> tuple[Pair, ...]:
    """Files whose names differ by a word for the side alone, but for those that were said to be of two sessions.

    Where more than two files fit together, nobody knows which belong to which, and none are paired.
    """
    found = []
    for kind, words in enumerate(_WORDS):
        sides: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for index, name in enumerate(names):
            for side in (0, 1):
                for rest in _without(clean(name.replace("\\", "/")).lower(), words[side]):
                    sides[rest][side].append(index)
        for firsts, seconds in sides.values():
            if len(firsts) == len(seconds) == 1:
                found.append(Pair(firsts[0], seconds[0], kind == _LEFT_RIGHT))
    used = Counter(index for pair in found for index in (pair.first, pair.second))
    return tuple(
        pair
        for pair in found
        if used[pair.first] == used[pair.second] == 1
        and descriptions[pair.first].session == descriptions[pair.second].session
    )


def linked(
    paths: Sequence[Path], descriptions: Sequence[Description], found: Sequence[Pair]
) -> tuple[Description, ...]:
    """The descriptions, those of pairs with the role of their side and the hash of the other side's file.

    A pair with a file that cannot be read is left as it is: its analysis says what is wrong.
    """
    told = list(descriptions)
    for pair in found:
        places = (pair.first, pair.second)
        try:
            hashes = [audio.content_hash(paths[place]) for place in places]
        except AudioError:
            continue
        roles = pair.roles(descriptions[pair.first].sides)
        for place, role, other_side in zip(places, roles, reversed(hashes), strict=True):
            told[place] = replace(told[place], roles=(role,), other_side=other_side)
    return tuple(told)


def _without(name: str, words: Sequence[str]) -> list[str]:
    """The name without its last word of these, if it has one that stands by itself."""
    written = "|".join(
        re.escape(word) if not word.isascii() else rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])" for word in words
    )
    places = list(re.finditer(written, name))
    return [name[: place.start()] + "\0" + name[place.end() :] for place in places[-1:]]
