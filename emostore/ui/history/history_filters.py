"""The filters of the History page. All of them live in the URL, so a link shows the same clips to whoever opens it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from emostore.emotions import EMOTIONS
from emostore.services import groups as stored_groups
from emostore.services.metadata.descriptions import ROLES
from emostore.services.views import history_address
from emostore.services.views.history_address import (
    ALERTS,
    CERTAINTIES,
    FIRST_DAY,
    LAST_DAY,
    PERIODS,
    USUAL_PERIOD,
    Asked,
)
from emostore.store.reports import filter_names, history
from emostore.store.reports.history import HistoryFilter
from emostore.store.reports.views import HistoryOptions
from emostore.ui import groups
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.text import _, emotion, plain, role

CURSORS = ("before", "after")  # where a page begins or ends; any other filter makes them void
_ALL_SCORES = (0.0, 1.0)
_MORE_THAN_HALF = (0.5, 1.0)
_WIDE = 156  # px of a filter: two stand side by side on a phone
_SHOWN_VALUE = 60  # characters of a bad value that are quoted


def today() -> date:
    """This day in the reporting time zone."""
    return datetime.now(UTC).astimezone(ZoneInfo(in_force().time_zone)).date()


def asked(usual: str = USUAL_PERIOD) -> Asked:
    """What the URL asks for, `usual` being its period where it names no days.

    What it names and nobody knows is left out, and that is said.
    """
    address = st.query_params.to_dict()
    if not address.keys() & {"days", "first", "last"}:
        address["days"] = usual
    found = history_address.read(address, today(), in_force().time_zone, partial(stored_groups.named, open_store()))
    names = filter_names.look_up(open_store(), found.wanted)
    known = {
        "agent": names.agent,
        "team": names.team,
        "model": names.model,
        "session_id": found.wanted.session_id is None or names.session is not None,
    }
    for name, there in known.items():
        if not there:
            value = getattr(found.wanted, name)
            found = found.without(name, "@".join(value) if isinstance(value, tuple) else value)
    if found.left_out:
        parts = ", ".join(f"{name} = {value[:_SHOWN_VALUE]}" for name, value in found.left_out)
        st.warning(
            _("A part of this link stands for nothing here, so it was left out: {parts}.", parts=plain(parts)),
            icon=":material/link_off:",
        )
    if found.inverted:
        st.warning(_("The first day is after the last one, so no clip can fit."), icon=":material/event_busy:")
    return found


def draw(found: Asked) -> None:
    """The filters as they are, to be changed: those that are used daily, and behind a button the others."""
    known = history.options(open_store())
    wanted = found.wanted
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        days(found)
        choice("agent", _("Agent"), known.agents, wanted.agent)
        choice("emotion", _("Emotion"), EMOTIONS, wanted.emotion, emotion)
        choice("alert", _("Alert"), ALERTS, wanted.alert, _alert)
        of_scores = (wanted.certain, wanted.group, wanted.group_sum)
        rest = (wanted.team, wanted.session_id, wanted.role, wanted.model, *of_scores)
        count = sum(each is not None for each in rest) + len(wanted.scores)
        # Its label stays the same: with another one it would be another button, and close while somebody chooses in it.
        more = st.popover(_("More filters"), icon=":material/tune:", on_change="rerun", key="more_filters")
        if count:
            st.badge(_("More filters: {count}", count=count), color="gray")
        if more.open:  # the widgets in it are made only when somebody looks
            with more:
                _draw_more(wanted, known)
        if any(name in st.query_params for name in history_address.NAMES):
            st.button(
                _("Clear"), icon=":material/filter_alt_off:", type="tertiary", key="clear_filters", on_click=_clear
            )


def days(found: Asked, usual: str = USUAL_PERIOD) -> None:
    """The choice of days, and of two dates of one's own; `usual` as for `asked`."""
    st.selectbox(_("Days"), PERIODS, format_func=_period, width=_WIDE, **bound("days", found.period, usual, _dates))
    if found.period == "dates":
        day("first", _("From"), found.wanted.from_date)
        day("last", _("To"), found.wanted.to_date)


def _draw_more(wanted: HistoryFilter, known: HistoryOptions) -> None:
    names = dict(known.sessions)
    session = wanted.session_id
    if session is not None and session not in names:
        names[session] = filter_names.look_up(open_store(), wanted).session or str(session)
    choice("team", _("Team"), known.teams, wanted.team)
    choice(
        "session",
        _("Session"),
        [str(number) for number in names],
        None if session is None else str(session),
        lambda number: names[int(number)],
    )
    choice("role", _("Voice"), ROLES, wanted.role, role)
    models = ["@".join(model) for model in known.models]
    choice("model", _("Model"), models, "@".join(wanted.model) if wanted.model else None, model_name)
    said = None if wanted.certain is None else CERTAINTIES[not wanted.certain]
    choice("certainty", _("How sure"), CERTAINTIES, said, _certainty)
    _draw_groups(wanted)
    st.caption(_("Scores from and to"))
    ranges = {name: (low, high) for name, low, high in wanted.scores}
    for name in EMOTIONS:
        st.slider(emotion(name), *_ALL_SCORES, step=0.01, **bound(name, ranges.get(name, _ALL_SCORES), _ALL_SCORES))


def _draw_groups(wanted: HistoryFilter) -> None:
    """Which label group the strongest emotion is of, and how much the scores of one sum to."""
    known = groups.known()
    asked = wanted.group_sum

    def shown(name: str) -> str:
        return groups.label(known[name])

    with st.container(horizontal=True, key="group_filters"):
        choice("group", _("Strongest emotion in"), list(known), wanted.group.name if wanted.group else None, shown)
        st.session_state["filter_sum_of"] = asked[0].name if asked else None
        st.selectbox(
            _("Sum of a group"),
            list(known),
            index=None,
            format_func=shown,
            placeholder=_("All"),
            width=_WIDE,
            key="filter_sum_of",
            on_change=_write_sum,
        )
    if asked is not None:
        group, *limits = asked
        st.session_state["filter_sum"] = tuple(limits)
        st.slider(groups.summed(group.emotions), *_ALL_SCORES, step=0.01, key="filter_sum", on_change=_write_sum)


def _write_sum() -> None:
    """A sum begins with more than half; without a group there is none."""
    group = st.session_state["filter_sum_of"]
    first_page()
    if group is None:
        st.query_params.pop("sum", None)
    else:
        limits = st.session_state.get("filter_sum", _MORE_THAN_HALF)
        st.query_params["sum"] = history_address.write_sum(group, *limits)


def model_name(model: str) -> str:
    """A model as it is shown: its name and the beginning of its revision."""
    name, _at, revision = model.rpartition("@")
    return f"{name} · {revision[:8]}"


def first_page() -> None:
    """Leave the place in the list: it belongs to the filters that were."""
    for name in CURSORS:
        st.query_params.pop(name, None)


def choice(name: str, label: str, options: Sequence[str], value: str | None, shown: Callable[[str], str] = str) -> None:
    """A choice of one, or of all, that lives in the URL under a name."""
    # A list offers only so many names; one that a link brings along is among them.
    offered = list(options) if value is None or value in options else [value, *options]
    st.selectbox(label, offered, index=None, format_func=shown, placeholder=_("All"), width=_WIDE, **bound(name, value))


def day(name: str, label: str, value: date | None) -> None:
    """A day that lives in the URL under a name."""
    st.date_input(label, min_value=FIRST_DAY, max_value=LAST_DAY, width=_WIDE, **bound(name, value))


def bound(name: str, value: Any, usual: Any = None, then: Callable[[], None] | None = None) -> dict[str, Any]:
    """Arguments that show a value of the URL in a widget, and write what is chosen there into the URL."""
    key = f"filter_{name}"
    st.session_state[key] = value
    return {"key": key, "on_change": _write, "args": (name, usual, then)}


def _write(name: str, usual: Any, then: Callable[[], None] | None) -> None:
    chosen = st.session_state[f"filter_{name}"]
    first_page()
    if chosen == usual:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = history_address.write_range(*chosen) if isinstance(chosen, tuple) else str(chosen)
    if then is not None:
        then()


def _dates() -> None:
    """Two dates begin with the usual period, and go when another period is chosen."""
    if st.query_params.get("days") == "dates":
        last = today()
        st.query_params["first"] = str(last - timedelta(int(USUAL_PERIOD) - 1))
        st.query_params["last"] = str(last)
    else:
        for name in ("first", "last"):
            st.query_params.pop(name, None)


def _clear() -> None:
    first_page()
    for name in history_address.NAMES:
        st.query_params.pop(name, None)


def _period(period: str) -> str:
    if period == "all":
        return _("All days")
    return _("From … to …") if period == "dates" else _("The last {count} days", count=period)


def _certainty(name: str) -> str:
    return {"certain": _("Certain"), "uncertain": _("Uncertain")}[name]


def _alert(state: str) -> str:
    return {
        "any": _("Any alert"),
        "open": _("Open"),
        "acknowledged": _("Acknowledged"),
        "resolved": _("Resolved"),
        "false_alarm": _("False alarm"),
    }[state]
