"""What is compared and how, all of it in the URL: `of` names the things, once for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from emostore.services.views import comparing, history_address
from emostore.services.views.comparing import CASE_NAMES, MOST, Comparison, Sample, Span, Thing
from emostore.store.reports import filter_names, reports, search
from emostore.store.reports.history import HistoryFilter
from emostore.ui import heard, urls
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.history import history_filters, report_filters
from emostore.ui.text import _, plain

_NAME = "of"
_SPLIT = "split"
_SHOWN_NAME = 60  # characters of a name on a button or in a legend
_ICONS = {"agent": ":material/person:", "session": ":material/forum:", "clip": ":material/graphic_eq:"}
_CASE_ICON = ":material/school:"
_CASES = tuple(Thing("case", key) for key in CASE_NAMES)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the URL asks for."""

    things: tuple[Thing, ...]
    model: tuple[str, str] | None
    span: Span
    voices: str


def chosen() -> tuple[Thing, ...]:
    """What the URL names, each thing once; what cannot be compared is said."""
    texts = list(dict.fromkeys(st.query_params.get_all(_NAME)))
    read = [Thing.read(text) for text in texts]
    things = tuple(thing for thing in read if thing is not None)
    if len(things) < len(texts):
        st.warning(_("A part of the link names nothing that can be compared; it was left out."))
    if len(things) > MOST:
        st.warning(
            _("{found} things are named; the first {allowed} of them are compared.", found=len(things), allowed=MOST)
        )
    return things[:MOST]


def chooser(things: Sequence[Thing]) -> None:
    """A search, what it found, and what was chosen so far, each with a button to take it away."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="choose"):
        searched = st.text_input(
            _("Find an agent, a session or a clip"),
            key="searched",
            max_chars=200,
            placeholder=_("A part of its name, or the number of a clip"),
            width=340,
        )
        st.button(
            _("The three examples"),
            icon=_CASE_ICON,
            key="cases",
            help=_("Three published distributions: a business talk, a customer's complaint, a teaching voice."),
            disabled=set(_CASES) <= set(things) or len({*things, *_CASES}) > MOST,
            on_click=_write,
            args=((*things, *(case for case in _CASES if case not in things)),),
        )
    if searched.strip():
        _found(searched, things)
    if things:
        with st.container(horizontal=True, key="chosen"):
            for thing in things:
                rest = tuple(each for each in things if each != thing)
                label = f"{_button_name(thing)} ✕"
                st.button(label, icon=_icon(thing), key=f"drop_{thing.text}", on_click=_write, args=(rest,))


def conditions(things: Sequence[Thing]) -> Wanted | None:
    """The filters; None if they contradict each other, which is then said."""
    if all(thing.kind == "case" for thing in things):
        return Wanted(tuple(things), None, Span(), "others")
    report_filters.strangers({"voice": comparing.VOICES})
    asked = history_filters.asked("all")
    single = sum(thing.kind == "agent" for thing in things) == 1
    split = history_address.day(st.query_params.get(_SPLIT, "")) if single else None
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        model = report_filters.model(asked)
        voices = st.selectbox(
            _("Whose voice"),
            list(comparing.VOICES),
            format_func=_voices,
            width=200,
            **urls.bound("voice", list(comparing.VOICES), "others"),
        )
        history_filters.days(asked, "all")
        if single:
            history_filters.day(_SPLIT, _("Before and after"), split)
    report_filters.several_models()
    if voices != "others":
        st.caption(
            _(
                "Voices of agents are for coaching. In the EU, inferring the emotions of employees at work is "
                "prohibited but for medical and safety reasons (AI Act, Article 5(1)(f))."
            )
        )
    if asked.inverted:
        return None
    span = Span(asked.wanted.from_date, asked.wanted.to_date, split, in_force().time_zone)
    return Wanted(tuple(things), model, span, voices or "others")


def left_out(found: Comparison) -> None:
    """A word on everything that was asked for and has no scores to show."""
    for thing in found.absent:
        st.warning(
            _("{name} is not there (any more). Take it away, or look for another.", name=_button_name(thing)),
            icon=":material/search_off:",
        )
    for sample in found.empty:
        name = plain(_plain_label(sample))
        if found.model is None:
            st.info(_("Nothing has been analysed yet."))
        else:
            st.info(
                _(
                    "{name} has no clip with scores of {model} in these days and voices.",
                    name=name,
                    model=found.model.name,
                ),
                icon=":material/filter_alt_off:",
            )


def labels(samples: Sequence[Sample]) -> list[str]:
    """A name for each sample, no two alike: plain text, for charts and tables."""
    made: list[str] = []
    for sample in samples:
        label = wanted = _plain_label(sample)
        number = 1
        while label in made:
            number += 1
            label = f"{wanted} ({number})"
        made.append(label)
    return made


def nothing() -> None:
    """What to do on a page that names nothing yet."""
    st.info(
        _(
            "Choose up to {allowed} agents, sessions or clips. Their distributions are laid over each other, "
            "with what differs between them and whether that is more than chance.",
            allowed=MOST,
        ),
        icon=":material/compare:",
    )


def _found(searched: str, things: Sequence[Thing]) -> None:
    results = search.find(open_store(), searched)
    if not results:
        st.caption(
            _(
                "No agent, no session and none of the newest {count} clips has {text} in its name. An older clip is "
                "found by its number.",
                count=f"{search.SEARCHED_CLIPS:,}",
                text=plain(searched),
            )
        )
        return
    with st.container(horizontal=True, key="found"):
        for result in results:
            thing = Thing(result.kind, result.key)
            label = plain(_cut(result.name)) if result.kind != "clip" else f"{plain(_cut(result.name))} · {result.key}"
            st.button(
                label,
                icon=":material/add:",
                key=f"add_{thing.text}",
                help=_kind(result.kind),
                disabled=thing in things or len(things) >= MOST,
                on_click=_write,
                args=((*things, thing),),
            )


def _write(things: Sequence[Thing]) -> None:
    st.query_params[_NAME] = [thing.text for thing in things]
    st.session_state["searched"] = ""


def _icon(thing: Thing) -> str:
    return _ICONS.get(thing.kind, _CASE_ICON)


def _button_name(thing: Thing) -> str:
    """What a thing is called: of a session and a clip only the number is in the address. Markdown, escaped."""
    if thing.kind == "case":
        return _(CASE_NAMES[thing.key])
    if thing.kind == "agent":
        return plain(_cut(thing.key))
    store, number = open_store(), int(thing.key)
    if thing.kind == "clip":
        row = reports.clip_rows(store, [number]).get(number)
        found = row.file_name if row else None
    else:
        found = filter_names.look_up(store, HistoryFilter(session_id=number)).session
    return plain(_cut(found)) if found else _("{kind} {number}", kind=_kind(thing.kind), number=thing.key)


def _plain_label(sample: Sample) -> str:
    name = _(sample.name) if sample.thing.kind == "case" else _cut(sample.name)
    named = {"": name, "before": _("{name}, before", name=name), "after": _("{name}, after", name=name)}[sample.half]
    if sample.thing.kind == "clip" and sample.mean and heard.doubtful(max(sample.mean.scores.values())):
        named = _("{name} (uncertain)", name=named)
    # Invented agents and sessions are called so by their own names.
    return _("{name} (demo)", name=named) if sample.demo and "demo" not in name else named


def _kind(kind: str) -> str:
    return {"agent": _("Agent"), "session": _("Session"), "clip": _("Clip")}[kind]


def _voices(name: str) -> str:
    return {"others": _("Everyone but agents"), "agent": _("Agents"), "all": _("Everyone")}[name]


def _cut(name: str) -> str:
    """A name on one line and short enough for a button."""
    line = " ".join(name.split())
    return line if len(line) <= _SHOWN_NAME else f"{line[: _SHOWN_NAME - 1]}…"
