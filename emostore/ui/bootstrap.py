"""What a page needs before it can show anything: settings, the migrated store, the model on demand."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from emostore.config import settings
from emostore.engine import registry
from emostore.engine.recognizer import Recognizer
from emostore.errors import EmostoreError
from emostore.services.downloads import BackgroundDownload
from emostore.services.worker import Worker
from emostore.store import migrate
from emostore.store.session import Store, create_store
from emostore.ui.text import _, explain

log = logging.getLogger(__name__)


@st.cache_resource(show_spinner=False)
def open_store() -> Store:
    """The store of this process, migrated once, so that a plain `streamlit run Home.py` works."""
    logging.basicConfig(level=settings().log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    store = create_store(settings().resolved_database_url)
    migrate.upgrade(store)
    return store


@st.cache_resource(show_spinner=False)
def start_worker() -> Worker:
    """The one worker of this process; what an earlier one left behind goes on at once."""
    worker = Worker(open_store(), settings(), load_model)
    worker.start()
    return worker


@st.cache_resource(show_spinner=False)
def background_download() -> BackgroundDownload:
    """The one download of this process."""
    return BackgroundDownload()


def load_model() -> Recognizer:
    """The configured model; the first call loads it."""
    return registry.load_recognizer(settings())


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
