"""The pieces of a clip's page."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

from emostore.analytics.insights import headline
from emostore.analytics.trajectory import Trajectory
from emostore.engine.figures import caution
from emostore.services.analysis import no_speech_sentence
from emostore.store.reports import reports
from emostore.store.reports.report_views import AlertView
from emostore.ui import groups, heard, links, masked
from emostore.ui.bootstrap import open_store
from emostore.ui.scores import distribution
from emostore.ui.text import _, domain, duration, emotion, explain, language, listed, plain, role, scenario, when

CHOICES = 20  # newest clips offered where no clip was asked for
_FACT_PX = 160  # of what is known; two stand side by side on a phone


def asked_for() -> int | None:
    """The clip that the URL names; None if it names none, or something that is no number."""
    text = st.query_params.get("id", "")
    if text:
        st.query_params["id"] = text  # a link from this page to itself changes what is shown, but not the address
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def choose() -> None:
    """Links to the newest clips, or where to begin."""
    rows = reports.latest_clips(open_store(), CHOICES).rows
    if not rows:
        st.info(_("Nothing has been analysed yet. Upload a recording to begin."), icon=":material/upload_file:")
        st.page_link(links.UPLOAD_PAGE, label=_("Upload a recording"), icon=":material/upload_file:")
        return
    st.subheader(_("The newest clips"), anchor=False)
    for row in rows:
        label = f"{plain(row.file_name)} · {heard.named(row.scores)} · {when(row.happened_at)}"
        links.clip(row.clip_id, label=label)


def sentence(view: reports.ClipView, path: Trajectory | None) -> None:
    """What the voice sounds like, where its mood goes, and who says so."""
    finding(view, heading="##### ")
    moved = _course(path) if path is not None and len(path) > 1 else ""
    if moved:
        st.markdown(moved, help=mood_help())
    analysis = view.newest
    with st.container(horizontal=True):
        st.badge(role(view.role), icon=":material/person:", color="gray")
        if analysis is not None:
            st.badge(f"{analysis.model} · {analysis.revision[:8]}", icon=":material/neurology:", color="gray")
            heard.badge(analysis.scores)


def name(view: reports.ClipView) -> str:
    """What a voice is called beside others of its recording."""
    if view.role != "unknown":
        return role(view.role)
    return _("Voice") if view.channel_count == 1 else _("Channel {channel}", channel=view.channel + 1)


def mood_help() -> str:
    """What is meant by mood."""
    return _(
        "Mood is happy + surprised, minus angry, disgusted, fearful and sad. Its line is tested as such: neighbouring "
        "windows share their sound, so they count as fewer."
    )


def finding(view: reports.ClipView, heading: str = "") -> None:
    """What the newest analysis found, or why it found nothing."""
    analysis = view.newest
    if analysis is None:
        st.warning(_("This clip has not been analysed yet."))
    elif analysis.scores:
        st.markdown(heading + explain(headline(analysis.scores)))
    elif analysis.no_speech_reason:
        st.warning(explain(no_speech_sentence(analysis.no_speech_reason)), icon=":material/voice_selection_off:")


def warning(view: reports.ClipView) -> None:
    """How far the model may be trusted, where that was measured."""
    found = caution(view.newest.model) if view.newest else None
    if found:
        st.caption(explain(found))


def chart(view: reports.ClipView, key: str = "clip") -> None:
    """The nine scores, and which of them the model cannot give."""
    analysis = view.newest
    if analysis is None or analysis.scores is None:
        return
    name = PurePath(view.file_name).stem
    sums = groups.sums(analysis.scores, analysis.missing, groups.known().values())
    distribution(analysis.scores, key=key, file_name=name, missing=analysis.missing, sums=sums)
    if analysis.missing:
        names = listed(emotion(missing) for missing in analysis.missing)
        st.caption(
            _("{model} cannot give {names}. They are not measured, not zero.", model=analysis.model, names=names)
        )
    masked.note(analysis.model, analysis.revision, declared=False)


def metadata(view: reports.ClipView) -> None:
    """What is known about the clip, and what was lost in reading it."""
    happened = when(view.happened_at)
    source = _source(view.happened_at_source)
    known = {
        _("Agent"): plain(view.agent or "—"),
        _("Team"): plain(view.team or "—"),
        _("Happened"): _("{value} ({source})", value=happened, source=source) if source else happened,
        _("Length"): duration(view.duration_s),
        _("Speech"): duration(view.speech_s) if view.speech_s is not None else "—",
        _("What it is"): scenario(view.scenario) if view.scenario else "—",
        _("Recorded by"): domain(view.domain) if view.domain else "—",
        _("Language spoken"): plain(view.language or "—"),
        _("Channel"): f"{view.channel + 1} / {view.channel_count}",
        _("Format"): f"{view.codec} · {view.sample_rate:,} Hz",
    }
    with st.grid(min_column_width=_FACT_PX):
        for name, value in known.items():
            st.markdown(f":gray[:small[{name}]]  \n{value}")


def notes(view: reports.ClipView) -> None:
    """What was lost in reading the recording."""
    for note in view.notes:
        st.caption(f":material/info: {plain(explain(note))}")


def ways(view: reports.ClipView) -> None:
    """Links to the session, and to the other voices of the same call."""
    links.session(view.session_id, label=links.named(view.session_name), recording_id=view.recording_id)
    for channel, identifier in view.siblings:
        if identifier != view.clip_id:
            links.clip(identifier, label=_("Channel {channel} of this recording", channel=channel + 1))
    if view.partner_id is not None:
        links.clip(view.partner_id, label=_("The other side of this call"))


def moment(alert: AlertView, label: str) -> None:
    """A link to where an alert was raised."""
    links.clip(alert.clip_id, label=label, at_s=alert.start_s)


def _course(path: Trajectory) -> str:
    """Which emotions lead for how long, and where the mood goes."""
    from emostore.services.report import course  # late, as in `ui.report_buttons`

    return {"en": " ", "zh": ""}[language()].join(plain(explain(each)) for each in course.sentences(path))


def _source(name: str) -> str:
    """Where the time of a recording is known from, if nobody gave it."""
    return {
        "given": "",
        "name": _("from the file's name"),
        "metadata": _("from the file"),
        "upload": _("a guess: the time of the upload"),
    }[name]
