"""Who did what and when, in the reader's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import streamlit as st

from emostore.store import audit
from emostore.ui.bootstrap import open_store
from emostore.ui.text import _, domain, emotion, listed, role, scenario, when

SHOWN_EVENTS = 50


def events() -> None:
    """Who did what, the latest first."""
    rows = audit.page(open_store(), SHOWN_EVENTS).rows
    if not rows:
        st.caption(_("Nothing has happened yet."))
        return
    st.dataframe(
        [
            {
                _("When"): when(row.happened_at),
                _("Who"): row.user,
                _("What"): f"{_action(row.action)} · {_object(row.object_type)} {row.object_id or ''}".strip(),
                _("Details"): _details(row.details),
            }
            for row in rows
        ],
        hide_index=True,
        alt=_("Who did what, the latest first"),
    )


def _action(action: str) -> str:
    return {
        "analysed": _("analysed"),
        "renamed": _("renamed"),
        "merged": _("merged"),
        "moved": _("moved"),
        "changed": _("changed"),
        "deleted": _("deleted"),
        "restored": _("restored"),
    }.get(action, action)


def _object(kind: str) -> str:
    return {
        "recording": _("recording"),
        "clip": _("clip"),
        "session": _("session"),
        "agent": _("agent"),
        "settings": _("settings"),
        "database": _("database"),
    }.get(kind, kind)


def _details(details: Mapping[str, Any]) -> str:
    """What was changed, from what and to what; what a later version wrote is shown as it is."""
    return " · ".join(f"{_word(key)}: {_value(value)}" for key, value in details.items() if _is_said(value))


def _is_said(value: object) -> bool:
    return value not in (None, [], {})


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        if "name" in value and "version" in value:  # a rule or a profile: what it says in full is on its own page
            return _("{name}, version {version}", name=value["name"], version=value["version"])
        return listed(f"{_word(str(key))} {_value(each)}" for key, each in value.items() if _is_said(each))
    if isinstance(value, list):
        return listed(_value(each) for each in value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    text = str(value)
    if len(text) > len("2026-01-01T") and text[10] == "T":
        try:
            return when(datetime.fromisoformat(text))
        except ValueError:  # somebody's name that only looks like a time
            return text
    for words in (role, scenario, domain, emotion):
        try:
            return words(text)
        except KeyError:
            continue
    return _word(text)


def _word(name: str) -> str:
    return {
        "activated": _("activated"),
        "active": _("switched on"),
        "agent": _("agent"),
        "alert_rule": _("alert rule"),
        "calibration": _("calibration"),
        "cancelled": _("cancelled"),
        "clips": _("clips"),
        "comment": _("comment"),
        "created": _("made"),
        "created_at": _("created"),
        "demo": _("demo"),
        "domain": _("recorded by"),
        "emotion": _("emotion"),
        "emotions": _("emotions"),
        "file": _("file"),
        "files": _("files"),
        "from": _("from"),
        "happened_at": _("when it happened"),
        "intensity": _("how strong"),
        "keep_audio": _("audio that is kept"),
        "label": _("label"),
        "label_group": _("label group"),
        "language": _("language"),
        "model": _("model"),
        "name": _("name"),
        "none": _("none"),
        "pair": _("other side"),
        "rater": _("rater"),
        "recordings": _("recordings"),
        "role": _("whose voice it is"),
        "rows": _("rows"),
        "scenario": _("what it is"),
        "scoring_profile": _("scoring profile"),
        "second": _("second emotion"),
        "sides": _("sides of the call"),
        "target": _("target profile"),
        "team": _("team"),
        "time_zone": _("time zone"),
        "to": _("to"),
        "uncertain_below": _("uncertain below"),
        "what": _("what"),
    }.get(name, name)
