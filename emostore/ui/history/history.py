"""The page of clips that fits the filters of the History page, and what is said where none does."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import streamlit as st

from emostore.analytics.quality import service_quality_score
from emostore.services.views.history_address import Asked
from emostore.store.reports import history, reports
from emostore.store.reports.history import HistoryFilter
from emostore.store.reports.views import ClipCursor, HistoryPage, HistoryRow
from emostore.ui import exports, heard, links
from emostore.ui.bootstrap import open_store
from emostore.ui.history.history_filters import CURSORS, first_page
from emostore.ui.text import _, duration, role, when

PAGE_ROWS = 50
_ROW_PX = 35  # height of a table row


def results(found: Asked) -> None:
    """The page of clips that the URL asks for, and all that fit to take away."""
    wanted = found.wanted
    before, after = (history.read_cursor(st.query_params.get(name)) for name in CURSORS)
    page = history.search(open_store(), wanted, PAGE_ROWS, before=before, after=after)
    if not page.rows:
        _nothing(wanted)
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(_counted(page), width="content")
        exports.popover(wanted, page.more)
    if wanted.session_id is not None:
        links.session(wanted.session_id, label=links.named(page.rows[0].session_name))
    demo = any(row.demo for row in page.rows)
    event = st.dataframe(
        [_row(row, demo) for row in page.rows],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="clips",
        height=(len(page.rows) + 1) * _ROW_PX + 3,
        column_config={
            _("Confidence"): st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent", width="small"),
            _("Quality"): st.column_config.NumberColumn(format="%.1f", width="small"),
        },
        alt=_("Clips, the latest first. Select a row to open it."),
    )
    chosen = event.selection.rows
    if chosen:
        st.switch_page(links.CLIP_PAGE, query_params={"id": str(page.rows[chosen[0]].clip_id)})
    with st.container(horizontal=True):
        _turn("later", _("Later"), ":material/arrow_back:", "after", page.previous)
        _turn("earlier", _("Earlier"), ":material/arrow_forward:", "before", page.next)


def _counted(page: HistoryPage) -> str:
    count = f"{page.count:,}+" if page.more else f"{page.count:,}"
    said = _("1 clip") if count == "1" else _("{count} clips", count=count)
    if any(row.demo for row in page.rows):
        said += " · " + _("some are invented, for the demo")
    return said


def _nothing(wanted: HistoryFilter) -> None:
    """Why the list is empty, and a way out."""
    newest = reports.latest_clips(open_store(), 1).rows
    if not newest:
        st.info(_("Nothing has been analysed yet. Upload a recording to begin."), icon=":material/upload_file:")
        st.page_link(links.UPLOAD_PAGE, label=_("Upload a recording"), icon=":material/upload_file:")
    elif replace(wanted, from_date=None, to_date=None) == HistoryFilter(time_zone=wanted.time_zone):
        day = newest[0].happened_at.astimezone(ZoneInfo(wanted.time_zone)).date()
        st.info(_("No clip is of these days. The newest is of {day}.", day=str(day)), icon=":material/event_busy:")
        label = _("Show all days")
        st.page_link(links.HISTORY_PAGE, label=label, icon=":material/date_range:", query_params={"days": "all"})
    else:
        st.info(_("No clip fits these filters. Take one away."), icon=":material/filter_alt_off:")


def _row(row: HistoryRow, demo: bool) -> dict[str, object]:
    """The cells of a clip, in the order in which a narrow screen should show them."""
    return {
        _("When"): when(row.happened_at),
        _("Emotion"): heard.named(row.scores),
        _("Confidence"): row.scores.confidence if row.scores else None,
        _("File"): row.file_name if row.channel_count == 1 else f"{row.file_name} [{row.channel + 1}]",
        _("Agent"): row.agent or "",
        _("Quality"): service_quality_score(row.scores) if row.scores else None,
        _("Voice"): role(row.role),
        _("Session"): row.session_name,
        _("Length"): duration(row.duration_s),
        _("Model"): row.model or "",
        **({_("Demo"): _("invented") if row.demo else ""} if demo else {}),
    }


def _turn(key: str, label: str, icon: str, name: str, cursor: ClipCursor | None) -> None:
    """A button to the next page on one side; it rests where there is none."""
    arguments = (name, history.write_cursor(cursor)) if cursor else ()
    st.button(label, icon=icon, key=key, disabled=cursor is None, on_click=_go, args=arguments)


def _go(name: str, cursor: str) -> None:
    first_page()
    st.query_params[name] = cursor
