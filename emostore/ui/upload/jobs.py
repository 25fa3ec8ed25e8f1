"""What was handed in and how far it is: followed while it runs, kept until it is cleared."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from emostore.services.analysis import Stage, Status
from emostore.services.queue import jobs
from emostore.store.reports import reports
from emostore.ui import heard, links
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.clip import clips
from emostore.ui.text import _, duration, explain, plain, when

SHOWN_JOBS = 10
SHOWN_ITEMS = 20  # of one job; the rest is in the history
DRAWN = 2  # clips of the newest job that are drawn at once; a page of charts tells nobody anything
REFRESH_S = 1.0


def board() -> None:
    """The newest jobs. While one is open the board draws itself again; then the page rests."""
    if jobs.active(open_store()):
        st.fragment(_live, run_every=REFRESH_S)()
    else:
        _draw(jobs.overview(open_store(), SHOWN_JOBS))


def badge() -> None:
    """A line on pages that are not about jobs, if there is work under way."""
    count = jobs.active(open_store())
    if count:
        label = _("{count} recordings are being analysed", count=count)
        st.page_link(links.UPLOAD_PAGE, label=label, icon=":material/progress_activity:")


def _live() -> None:
    if not jobs.active(open_store()):
        st.rerun()  # the whole page: from now on nothing needs to be asked again and again
    _draw(jobs.overview(open_store(), SHOWN_JOBS))


def _draw(found: Sequence[jobs.JobView]) -> None:
    if not found:
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(_("Your uploads"), anchor=False, width="content")
        if any(not job.is_open for job in found) and st.button(
            _("Clear the finished"), icon=":material/clear_all:", key="clear", type="tertiary"
        ):
            jobs.clear_finished(open_store(), in_force())
            st.rerun()
    for number, job in enumerate(found):
        with st.container(border=True, key=f"job_{job.id}"):
            _progress(job)
            for item in job.running_items:
                st.caption(f"{plain(item.name)} · {_stage(item.stage)}")
            _failures(job)
            _results(job, open_first=number == 0)


def _progress(job: jobs.JobView) -> None:
    finished = job.done + job.failed
    text = _("{done} of {total}", done=finished, total=job.total)
    if job.is_open and job.seconds_left is not None:
        text += " · " + _("about {time} left", time=duration(max(1, round(job.seconds_left))))
    elif job.was_cancelled:
        text += " · " + _("cancelled")
    elif job.failed:
        text += " · " + _("{count} failed", count=job.failed)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(when(job.created_at), width="content")
        st.progress(min(1.0, job.share_done), text=text)
        if job.is_open and st.button(_("Cancel"), icon=":material/cancel:", key=f"cancel_{job.id}"):
            jobs.cancel(open_store(), in_force(), job.id)
            st.rerun()
        if job.failed > 1 and st.button(_("Try all again"), icon=":material/refresh:", key=f"retry_all_{job.id}"):
            jobs.retry_failed(open_store(), job.id)
            st.rerun()


def _failures(job: jobs.JobView) -> None:
    """Every failed file with its sentence; as many as fit, the count tells of the rest."""
    for item in job.errors:
        with st.container(horizontal=True, vertical_alignment="center", key=f"failed_{item.id}"):
            sentence = explain(item.error) if item.error else _("failed")
            st.error(f"**{plain(item.name)}** · {plain(sentence)}", icon=":material/error:")
            if item.can_retry and st.button(_("Try again"), icon=":material/refresh:", key=f"retry_{item.id}"):
                jobs.retry(open_store(), item.id)
                st.rerun()


def _results(job: jobs.JobView, *, open_first: bool) -> None:
    """The clips that the job gave: drawn if they are few and new, else as links."""
    if not job.done:
        return
    page = jobs.items(open_store(), job.id, SHOWN_ITEMS, state="done")
    drawn = open_first and job.done <= DRAWN
    rows = reports.clip_rows(open_store(), [clip_id for item in page.items for clip_id in item.clip_ids])
    for item in page.items:
        for result in item.results:
            row = rows.get(result.clip_id or 0)
            if row is None:  # deleted since
                continue
            if drawn:
                _card(row, known=result.status is Status.STORED_ALREADY)
            else:
                links.clip(row.clip_id, label=_line(row, result.status))
    if page.after is not None:
        st.caption(_("{count} more are in the history.", count=job.done - len(page.items)))


def _card(row: reports.ClipRow, *, known: bool) -> None:
    view = reports.clip_view(open_store(), row.clip_id)
    with st.container(key=f"result_{row.clip_id}"):
        st.markdown(f"**{_title(row)}**")
        if known:
            st.info(_("These bytes are stored already; nothing was changed."), icon=":material/inventory_2:")
        if view is not None:
            clips.finding(view)
            heard.badge(view.newest.scores if view.newest else None)
            clips.chart(view, key=f"job{row.clip_id}")
        links.clip(row.clip_id)


def _line(row: reports.ClipRow, status: Status) -> str:
    known = " · " + _("stored already") if status is Status.STORED_ALREADY else ""
    return f"{_title(row)} · {heard.named(row.scores)}{known}"


def _title(row: reports.ClipRow) -> str:
    name = plain(row.file_name)
    return name if row.channel_count == 1 else _("{name}, channel {channel}", name=name, channel=row.channel + 1)


def _stage(stage: Stage | None) -> str:
    return {
        None: _("waiting"),
        Stage.READING: _("reading"),
        Stage.DECODING: _("decoding"),
        Stage.LISTENING: _("listening for speech"),
        Stage.RECOGNISING: _("recognising emotions"),
        Stage.SAVING: _("saving"),
    }[stage]
