"""Everything that fits the filters, to take away in the format that is wanted."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from emostore.services.exports.exporting import WHATS, What
from emostore.store.reports import history
from emostore.ui import exports, urls
from emostore.ui.bootstrap import open_store
from emostore.ui.history import history_filters
from emostore.ui.text import _


def section() -> None:
    """The filters of the History page, what is wanted of the clips that fit, and a button for each format."""
    st.write(_("Exactly what fits the filters is exported, as it is at that moment."))
    asked = history_filters.asked()
    history_filters.draw(asked)
    if asked.inverted:
        return
    chosen = st.segmented_control(
        _("What to take"), WHATS, required=True, format_func=_named, **urls.bound("what", WHATS, WHATS[0])
    )
    what: What = next((each for each in WHATS if each == chosen), WHATS[0])
    wanted = replace(asked.wanted, labelled=what == "labels")
    found = history.search(open_store(), wanted, limit=1)
    st.caption(_explained(what))
    if not found.count:
        st.info(_nothing(what), icon=":material/filter_alt_off:")
        return
    st.markdown(_counted(what, f"{found.count:,}+" if found.more else f"{found.count:,}"))
    with st.container(horizontal=True, vertical_alignment="center", key="formats"):
        exports.buttons(asked.wanted, what, found.more)


def _counted(what: What, count: str) -> str:
    if what == "labels":
        return _("1 labelled clip fits.") if count == "1" else _("{count} labelled clips fit.", count=count)
    return _("1 clip fits.") if count == "1" else _("{count} clips fit.", count=count)


def _nothing(what: What) -> str:
    if what == "labels":
        return _("No clip with a label fits these filters. Take one away, or label some clips first.")
    return _("No clip fits these filters. Take one away.")


def _named(what: What) -> str:
    return {
        "clips": _("Clips"),
        "windows": _("Windows"),
        "embeddings": _("Embeddings"),
        "labels": _("Labels"),
        "results": _("Result folders"),
    }[what]


def _explained(what: What) -> str:
    return {
        "clips": _(
            "A row for each clip, with its nine scores. JSON Lines also hold the raw results, the windows, the "
            "embedding and the labels: imported elsewhere, they make the same clips again."
        ),
        "windows": _("A row for each window of each clip: when it begins and ends, and its nine scores."),
        "embeddings": _("A row for each clip with the numbers that its model made of the voice."),
        "labels": _(
            "A row for each label: what a rater heard in which clip, and when. The CSV can be given to the Label page "
            "of another installation that has the same recordings."
        ),
        "results": _(
            "A folder for each clip with result.json, and beside it its windows and its embedding, as other tools read "
            "them and as this app imports them again."
        ),
    }[what]
