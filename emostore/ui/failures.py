"""Errors as a reader sees them: a sentence for a named one, an id for any other."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from emostore.errors import EmostoreError
from emostore.ui.text import _, explain

log = logging.getLogger(__name__)


@contextmanager
def friendly_errors() -> Iterator[None]:
    """Show a named error as its sentence and any other as a short one with an id; the log has it whole."""
    try:
        yield
    except EmostoreError as error:
        st.error(explain(error), icon=":material/error:")
    except Exception:
        reference = uuid.uuid4().hex[:8]
        log.exception("Unexpected error %s", reference)
        st.error(
            _(
                "Something went wrong that we did not foresee; the log has the details under {id}.",
                id=reference,
            ),
            icon=":material/bug_report:",
        )
