"""The pieces of a session's page: what it is, how it went, and which of its recordings is shown."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.i18n import clock
from emostore.services.views import session_view
from emostore.services.views.session_view import Conversation, Voice
from emostore.store.reports import reports, session_reports
from emostore.store.reports.session_reports import SessionRecording, SessionView
from emostore.ui import heard, links, report_buttons
from emostore.ui.bootstrap import open_store
from emostore.ui.clip import clips
from emostore.ui.text import _, duration, emotion, explain, listed, plain, when

CHOICES = 50  # newest clips whose sessions are offered where none was asked for
_LIST_ROWS = 6  # recordings that are seen without scrolling
_ROW_PX = 35


def asked_for() -> SessionView | None:
    """The session that the URL names; None if it names none that is there."""
    text = st.query_params.get("id", "")
    if text:
        st.query_params["id"] = text  # a link from this page to itself changes what is shown, but not the address
    session_id = _number(text)
    return session_reports.session_view(open_store(), session_id) if session_id is not None else None


def choose() -> None:
    """Links to the sessions of the newest clips, or where to begin."""
    rows = reports.latest_clips(open_store(), CHOICES).rows
    if not rows:
        st.info(_("Nothing has been analysed yet. Upload a recording to begin."), icon=":material/upload_file:")
        st.page_link(links.UPLOAD_PAGE, label=_("Upload a recording"), icon=":material/upload_file:")
        return
    st.subheader(_("The newest sessions"), anchor=False)
    newest = {row.session_id: row for row in reversed(rows)}
    for row in sorted(newest.values(), key=lambda row: row.happened_at, reverse=True):
        links.session(row.session_id, label=f"{when(row.happened_at)} · {links.named(row.session_name)}")


def shown(view: SessionView) -> Conversation | None:
    """The call whose recording the URL asks for, else the session's first; None if the session holds no clip.

    Raises `AccessError` unless the current user may read every clip of it.
    """
    store, text = open_store(), st.query_params.get("recording", "")
    if text:
        st.query_params["recording"] = text
    asked = _number(text)
    found = session_view.conversation(store, session_reports.clips_of(store, view.session_id, asked)) if asked else None
    if found is None and text:
        st.warning(_("This session has no such recording (any more), so its first one is shown."))
    if found is None and view.recordings:
        found = session_view.conversation(store, [row.clip_id for row in view.recordings[0].clips])
    for voice in found.voices if found else ():
        access.require("read", voice.view)
    return found


def names(voices: tuple[Voice, ...]) -> list[str]:
    """What each voice is called, no two alike."""
    made: list[str] = []
    for voice in voices:
        name = wanted = clips.name(voice.view)
        number = 1
        while name in made:
            number += 1
            name = f"{wanted} ({number})"
        made.append(name)
    return made


def facts(view: SessionView, found: Conversation) -> None:
    """When it was, how long, with whom; and a report of it to take away."""
    first = found.played[0].view
    agents = dict.fromkeys(voice.view.agent for voice in found.voices if voice.view.agent)
    with st.container(horizontal=True, vertical_alignment="center", key="facts"):
        st.badge(when(first.happened_at), icon=":material/schedule:", color="gray")
        st.badge(duration(first.recording_duration_s), icon=":material/timer:", color="gray")
        if agents:
            st.badge(plain(listed(agents)), icon=":material/support_agent:", color="gray")
        for model in dict.fromkeys(_model(voice) for voice in found.voices if voice.view.newest):
            st.badge(model, icon=":material/neurology:", color="gray")
        if view.count > 1:
            st.badge(_("{count} recordings", count=f"{view.count:,}"), icon=":material/library_music:", color="gray")
        if any(voice.view.demo for voice in found.voices):
            st.badge(_("invented for the demo"), icon=":material/science:", color="orange")
        heard.badge(*(voice.view.newest.scores for voice in found.voices if voice.view.newest))
        report_buttons.for_session(view.session_id, view.name)


def opening(view: SessionView, found: Conversation) -> None:
    """How every side sounds and where its mood goes, customers first, and the way to the worst moment."""
    order = session_view.by_interest(found.voices)
    said = [(voice, session_view.opening(voice, alone=len(order) == 1)) for voice in order]
    for number, (voice, sentence) in enumerate(said):
        words = plain(explain(sentence)) if sentence else _("{name} has not been analysed yet.", name=_name(voice))
        st.markdown(f"{'' if number else '##### '}{words}", help=None if number else clips.mood_help())
    if found.missing > 0:
        st.info(
            _(
                "{stored} of the {count} channels of this recording are stored so far. If it is being analysed, "
                "the rest follows in a moment; else upload the file again.",
                stored=found.played[0].view.channel_count - found.missing,
                count=found.played[0].view.channel_count,
            ),
            icon=":material/hourglass_top:",
        )
    with st.container(horizontal=True, key="worst"):
        for voice in order:
            moment = session_view.worst(voice)
            if moment is not None:
                label = _(
                    "{name}: the worst moment, at {time} ({emotion})",
                    name=_name(voice),
                    time=clock(moment.start_s),
                    emotion=emotion(moment.emotion),
                )
                at_s = moment.start_s
                links.session(view.session_id, label=label, recording_id=voice.view.recording_id, at_s=at_s)


def recordings(view: SessionView, found: Conversation) -> None:
    """All recordings of a session that has several, in the order of time; a row leads to its recording."""
    if view.count < 2:
        return
    st.caption(_("Recordings of this session"))
    event = st.dataframe(
        [_row(each, each.recording_id == found.recording_id) for each in view.recordings],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"recordings_{found.recording_id}",  # a choice counts once: links lead on to other recordings
        height=(min(len(view.recordings), _LIST_ROWS) + 1) * _ROW_PX + 3,
        column_config={"": st.column_config.TextColumn(width=30)},
        alt=_("The recordings of this session, the earliest first. Select a row to show it."),
    )
    chosen = event.selection.rows
    if chosen and chosen[0] < len(view.recordings):
        recording_id = view.recordings[chosen[0]].recording_id
        if recording_id != found.recording_id:
            st.query_params["recording"] = str(recording_id)
            st.query_params.pop("t", None)
            st.rerun()
    if view.count > len(view.recordings):
        st.page_link(
            links.HISTORY_PAGE,
            label=_("All {count} recordings are in the history", count=f"{view.count:,}"),
            icon=":material/history:",
            query_params={"session": str(view.session_id), "days": "all"},
        )


def _row(each: SessionRecording, is_shown: bool) -> dict[str, object]:
    return {
        "": "▶" if is_shown else "",
        _("When"): when(each.happened_at),
        _("File"): each.clips[0].file_name if each.clips else "",
        _("Emotion"): " · ".join(heard.named(row.scores) for row in each.clips),
        _("Length"): duration(each.clips[0].duration_s) if each.clips else "",
    }


def _name(voice: Voice) -> str:
    return clips.name(voice.view)


def _model(voice: Voice) -> str:
    analysis = voice.view.newest
    return f"{analysis.model} · {analysis.revision[:8]}" if analysis else ""


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
