"""What the reader knows of recordings: said in a form, by their names, or in a list beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

import streamlit as st

from emostore.config import settings
from emostore.errors import EmostoreError
from emostore.services import preferences
from emostore.services.metadata import filenames, pairing, sidecar
from emostore.services.metadata.describing import describe
from emostore.services.metadata.descriptions import DEFAULT_SIDES, DOMAINS, ROLES, SCENARIOS, Description, Sides
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.text import _, domain, explain, plain, role, scenario, when

T = TypeVar("T")

PREVIEWED = 5  # names shown with what a pattern makes of them
_SIDES: tuple[Sides, ...] = (DEFAULT_SIDES, ("customer", "agent"), ("unknown", "unknown"))  # left, right


@dataclass(frozen=True, slots=True)
class Described:
    """What holds for all files, what is known of each, and which of them are the two sides of one call."""

    shared: Description
    each: tuple[Description, ...]
    pairs: tuple[pairing.Pair, ...]


def form(names: Sequence[str], listed: bytes | None) -> Described | None:
    """Draw the form and work out what is known of each file; None while something has to be put right.

    `listed` is a CSV that came with the files. What it says counts more than the form, and the form more
    than a file's name.
    """
    with st.expander(_("About these recordings (may be left empty)"), icon=":material/edit_note:"):
        said = _said()
        pattern = _pattern(names)
    if said is None or pattern is _WRONG:
        return None
    rows = sidecar.Sidecar()
    if listed is not None:
        try:
            rows = sidecar.read(listed, in_force().time_zone)
        except EmostoreError as error:
            st.error(explain(error), icon=":material/table:")
            return None
        _report(rows, names)
    each = describe(names, said, pattern=pattern, sidecar=rows)
    return Described(said, tuple(each), _pairs(names, each))


def _pairs(names: Sequence[str], each: Sequence[Description]) -> tuple[pairing.Pair, ...]:
    """Files that look like the two sides of one call, unless the reader says that they are not."""
    found = pairing.pairs(names, each)
    if not found:
        return ()
    label = _("Pair the files that are the two sides of one call ({count} found)", count=len(found))
    wanted = st.checkbox(label, value=True, key="about_pairs")
    for pair in found[:PREVIEWED] if wanted else ():
        sides = zip((pair.first, pair.second), pair.roles(each[pair.first].sides), strict=True)
        told = " + ".join(f"{plain(names[index])} ({role(voice)})" for index, voice in sides)
        st.caption(f":material/link: {told}")
    return found if wanted else ()


def _said() -> Description | None:
    """What the reader typed; the last upload's answers are offered again."""
    before = preferences.load(open_store(), settings()).upload
    left, right = st.columns(2)
    agent = left.text_input(_("Agent"), before.agent or "", max_chars=200, key="about_agent")
    team = right.text_input(_("Team"), before.team or "", max_chars=200, key="about_team")
    together = _("Recordings of one conversation, lesson or meeting share its name.")
    session = left.text_input(_("Session"), max_chars=200, key="about_session", help=together)
    voice = right.selectbox(
        _("Whose voice it is"),
        ROLES,
        ROLES.index(before.roles[0]),
        format_func=role,
        key="about_role",
        help=_("In recordings with one channel; of two channels, the next field tells."),
    )
    sides = right.selectbox(
        _("Two channels"), _SIDES, _place(_SIDES, before.sides) or 0, format_func=_sides, key="about_sides"
    )
    happened = left.datetime_input(_("When it happened"), value=None, key="about_happened_at")
    what = right.selectbox(
        _("What it is"), SCENARIOS, _place(SCENARIOS, before.scenario), format_func=scenario, key="about_scenario"
    )
    how = left.selectbox(
        _("Recorded by"), DOMAINS, _place(DOMAINS, before.domain), format_func=domain, key="about_domain"
    )
    spoken = right.text_input(
        _("Language spoken"), before.language or "", max_chars=35, placeholder="en, zh-CN, de …", key="about_language"
    )
    try:
        return Description(
            agent=agent.strip() or None,
            team=team.strip() or None,
            session=session.strip() or None,
            happened_at=happened.replace(tzinfo=ZoneInfo(in_force().time_zone)) if happened else None,
            roles=(voice,),
            sides=sides,
            scenario=what,
            domain=how,
            language=spoken.strip() or None,
        )
    except EmostoreError as error:
        st.error(explain(error), icon=":material/error:")
        return None


_WRONG = filenames.NamePattern("", "UTC", ())  # stands for a pattern that could not be understood


def _pattern(names: Sequence[str]) -> filenames.NamePattern | None:
    """A pattern for the files' names, with what it makes of them before it is used."""
    text = st.text_input(
        _("The names follow a pattern"),
        placeholder="{agent}_{date}_{session}",
        key="about_pattern",
        help=_("Fields: {fields}. A * stands for anything.", fields="{agent} {team} {session} {date} {time} {role}"),
    )
    if not text.strip():
        return None
    try:
        pattern = filenames.parse_pattern(text, in_force().time_zone)
    except EmostoreError as error:
        st.error(explain(error), icon=":material/error:")
        return _WRONG
    for row in filenames.preview(pattern, names[:PREVIEWED]):
        if isinstance(row.result, filenames.NoMatch):
            st.caption(f":material/close: {plain(explain(row.result.reason))}")
        else:
            found = row.result.description
            parts = [found.agent, found.team, found.session, when(found.happened_at) if found.happened_at else None]
            st.caption(f":material/check: {plain(row.name)} → " + " · ".join(plain(part) for part in parts if part))
    return pattern


def _report(rows: sidecar.Sidecar, names: Sequence[str]) -> None:
    """What was wrong with the list, and how many of the files it speaks of."""
    found = sum(rows.find(name) is not None for name in names)
    st.caption(_("The list describes {found} of {count} files.", found=found, count=len(names)))
    for problem in rows.problems:
        st.warning(explain(problem), icon=":material/table:")
    if rows.unknown_columns:
        columns = ", ".join(plain(column) for column in rows.unknown_columns)
        st.caption(_("Columns that were left out: {columns}", columns=columns))


def _sides(sides: Sides) -> str:
    if set(sides) == {"unknown"}:
        return _("Not known")
    return _("Left: {left}, right: {right}", left=role(sides[0]), right=role(sides[1]))


def _place(allowed: Sequence[T], value: T | None) -> int | None:
    return allowed.index(value) if value is not None and value in allowed else None
