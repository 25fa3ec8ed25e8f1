"""Label groups in the reader's words: what they are called, and what they sum."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from emostore.analytics.groups import LabelGroup, same
from emostore.services import groups
from emostore.ui.bootstrap import open_store
from emostore.ui.text import _, emotion


def known() -> Mapping[str, LabelGroup]:
    """The groups by name, those that come with the program first."""
    return {group.name: group for group in groups.available(open_store())}


def label(group: LabelGroup) -> str:
    """A group's name; that of one of ours is translated. A user's is text, to be escaped in Markdown."""
    return _(group.name) if groups.is_built_in(group) else group.name


def summed(emotions: Iterable[str]) -> str:
    """Emotions as a sum: Angry + Disgusted."""
    return " + ".join(emotion(name) for name in emotions)


def named(emotions: Collection[str], among: Iterable[LabelGroup]) -> str:
    """The name of the group of exactly these emotions; without one, their sum."""
    group = same(emotions, among)
    return label(group) if group else summed(emotions)


def sums(scores: Mapping[str, float], missing: Collection[str], among: Iterable[LabelGroup]) -> dict[str, float]:
    """What each group sums to, by its name as it is shown; without groups of which a model can give nothing."""
    return {label(group): group.score(scores) for group in among if not set(group.emotions) <= set(missing)}
