"""The filters of the history, which live in the URL, and the page of clips that fits them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from emostore.emotions import EMOTIONS
from emostore.services.descriptions import ROLES
from emostore.store import history
from emostore.store.history import HistoryFilter
from emostore.store.views import ClipCursor, HistoryOptions, HistoryRow
from emostore.ui import links, urls
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.text import _, duration, emotion, role, when

PAGE_ROWS = 50
_ROW_PX = 35  # height of a table row
_CURSORS = ("before", "after")  # where a page begins or ends; any other filter makes them void


def filters() -> HistoryFilter | None:
    """Draw the filters; None if they contradict each other, which is then said."""
    known = history.options(open_store())
    with st.container(horizontal=True, key="filters"):
        agent = _choice("agent", _("Agent"), known.agents)
        numbers = [str(number) for number, _name in known.sessions]
        session = _choice("session", _("Session"), numbers, _session_name(known))
        heard = _choice("emotion", _("Emotion"), EMOTIONS, emotion)
        voice = _choice("role", _("Voice"), ROLES, role)
        model = _choice("model", _("Model"), [f"{name}@{revision}" for name, revision in known.models], _model_name)
        first = st.date_input(_("From"), value=None, key="from", bind="query-params", on_change=_first_page, width=150)
        last = st.date_input(_("To"), value=None, key="to", bind="query-params", on_change=_first_page, width=150)
    if first and last and first > last:
        st.warning(_("The first day is after the last one, so no clip can fit."), icon=":material/event_busy:")
        return None
    name, _at, revision = (model or "").rpartition("@")
    return HistoryFilter(
        agent=agent,
        session_id=int(session) if session else None,
        from_date=first,
        to_date=last,
        emotion=heard,
        role=voice,
        model=(name, revision) if model else None,
        time_zone=in_force().time_zone,
    )


def results(wanted: HistoryFilter) -> None:
    """The page of clips that the URL asks for."""
    before, after = (history.read_cursor(st.query_params.get(name)) for name in _CURSORS)
    page = history.search(open_store(), wanted, PAGE_ROWS, before=before, after=after)
    if not page.rows:
        _nothing(wanted)
        return
    count = f"{page.count:,}+" if page.more else f"{page.count:,}"
    st.caption(_("{count} clips", count=count))
    event = st.dataframe(
        [_row(row) for row in page.rows],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="clips",
        height=(len(page.rows) + 1) * _ROW_PX + 3,
        column_config={_("Confidence"): st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent")},
        alt=_("Clips, the latest first. Select a row to open it."),
    )
    chosen = event.selection.rows
    if chosen:
        st.switch_page(links.CLIP_PAGE, query_params={"id": str(page.rows[chosen[0]].clip_id)})
    with st.container(horizontal=True):
        _turn("later", _("Later"), ":material/arrow_back:", "after", page.previous)
        _turn("earlier", _("Earlier"), ":material/arrow_forward:", "before", page.next)


def _choice(name: str, label: str, options: Sequence[str], shown: Callable[[str], str] = str) -> str | None:
    binding = urls.bound(name, options, then=_first_page)
    return st.selectbox(label, options, index=None, format_func=shown, placeholder=_("All"), width=180, **binding)


def _session_name(known: HistoryOptions) -> Callable[[str], str]:
    names = {str(number): name for number, name in known.sessions}
    return lambda number: names.get(number, number)


def _model_name(model: str) -> str:
    name, _at, revision = model.rpartition("@")
    return f"{name} · {revision[:8]}"


def _nothing(wanted: HistoryFilter) -> None:
    if wanted == HistoryFilter(time_zone=wanted.time_zone):
        st.info(_("Nothing has been analysed yet. Upload a recording to begin."), icon=":material/upload_file:")
        st.page_link(links.UPLOAD_PAGE, label=_("Upload a recording"), icon=":material/upload_file:")
    else:
        st.info(_("No clip fits these filters. Take one away."), icon=":material/filter_alt_off:")


def _row(row: HistoryRow) -> dict[str, object]:
    return {
        _("When"): when(row.happened_at),
        _("File"): row.file_name if row.channel_count == 1 else f"{row.file_name} [{row.channel + 1}]",
        _("Agent"): row.agent or "",
        _("Session"): row.session_name,
        _("Voice"): role(row.role),
        _("Emotion"): emotion(row.scores.dominant) if row.scores else _("no speech"),
        _("Confidence"): row.scores.confidence if row.scores else None,
        _("Length"): duration(row.duration_s),
        _("Model"): row.model or "",
    }


def _first_page() -> None:
    for name in _CURSORS:
        st.query_params.pop(name, None)


def _turn(key: str, label: str, icon: str, name: str, cursor: ClipCursor | None) -> None:
    """A button to the next page on one side; it rests where there is none."""
    arguments = (name, history.write_cursor(cursor)) if cursor else ()
    st.button(label, icon=icon, key=key, disabled=cursor is None, on_click=_go, args=arguments)


def _go(name: str, cursor: str) -> None:
    _first_page()
    st.query_params[name] = cursor
