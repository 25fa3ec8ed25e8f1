"""Choices that live in the URL, by names that are the same in every language.

Streamlit can bind a widget to the URL by itself, and then writes the label that is shown: a link copied
from a Chinese page would choose nothing on an English one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st


def bound(
    name: str, options: Sequence[str], default: str | None = None, then: Callable[[], None] | None = None
) -> dict[str, Any]:
    """Arguments that bind a widget of one choice to `?name=`; what is not among `options` counts as `default`.

    `then` is called after the reader has chosen.
    """
    key = f"url_{name}"
    asked = st.query_params.get(name)
    st.session_state[key] = asked if asked in options else default
    return {"key": key, "on_change": _write, "args": (name, default, then)}


def _write(name: str, default: str | None, then: Callable[[], None] | None) -> None:
    chosen = st.session_state[f"url_{name}"]
    if chosen == default:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = chosen
    if then is not None:
        then()
