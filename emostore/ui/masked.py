"""Which emotions a model cannot give, said wherever a number of it would mislead."""

from __future__ import annotations

import streamlit as st

from emostore.emotions import EMOTIONS
from emostore.services.calibration import masked
from emostore.ui.bootstrap import open_store
from emostore.ui.text import _, emotion, listed, plain


def given(model: str, revision: str) -> tuple[str, ...]:
    """The emotions that a model can give, by its own word and by what was seen of it."""
    found = masked.of(open_store(), (model, revision))
    return tuple(name for name in EMOTIONS if name not in (*found.declared, *found.never))


def note(model: str, revision: str, *, declared: bool = True) -> None:
    """A line for each kind, or nothing. Without `declared` only what was seen, where the other is said already."""
    found = masked.of(open_store(), (model, revision))
    if declared and found.declared:
        names = listed(map(emotion, found.declared))
        st.caption(_("{model} cannot give {names}. They are not measured, not zero.", model=plain(model), names=names))
    if found.seen:
        names = listed(map(emotion, found.seen))
        st.caption(
            ":material/visibility_off: "
            + _(
                "{model} says that it can give {names}, but gave exactly 0 in each of its latest {count} clips. Take "
                "them as not measured.",
                model=plain(model),
                names=names,
                count=f"{found.clips:,}",
            )
        )
    if found.untaught:
        names = listed(map(emotion, found.untaught))
        st.caption(
            ":material/visibility_off: "
            + _("The trained head in use was not taught {names}. Take them as not measured.", names=names)
        )
