"""Label groups in the reader's words: what they are called, and what they sum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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


def described(emotions: Iterable[str], among: Iterable[LabelGroup]) -> str:
    """A sum of emotions, led by the name of the group that is exactly that, if there is one."""
    names = tuple(emotions)
    group = same(names, among)
    return _("{group}: {emotions}", group=label(group), emotions=summed(names)) if group else summed(names)
