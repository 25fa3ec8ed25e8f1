"""Compare: up to six agents, sessions or clips over each other, and which of their differences are real."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.services.views import comparing
from emostore.ui import shell
from emostore.ui.bootstrap import open_store
from emostore.ui.compare import compare, compared
from emostore.ui.text import _

shell.through_home()
access.require("read")
st.title(_("Compare"), anchor=False)
things = compare.chosen()
compare.chooser(things)
if not things:
    compare.nothing()
else:
    wanted = compare.conditions(things)
    if wanted is not None:
        found = comparing.compare(
            open_store(), wanted.things, model=wanted.model, span=wanted.span, voices=wanted.voices
        )
        compare.left_out(found)
        samples = compared.named(found)
        if samples:
            compared.picture(found, samples)
            compared.bars(samples)
            compared.differences(samples)
            compared.distances(samples)
            compared.method()
