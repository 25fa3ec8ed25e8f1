"""What a page needs before it can show anything: settings, the migrated store, the model on demand."""

from __future__ import annotations

import logging

import streamlit as st

from emostore.config import Settings, settings
from emostore.engine import registry
from emostore.engine.queue import BatchingQueue, shared
from emostore.services import daily_totals, preferences
from emostore.services.calibration import calibrating
from emostore.services.downloads import BackgroundDownload
from emostore.services.importing.background import BackgroundImport
from emostore.services.queue.worker import Worker
from emostore.store import migrate
from emostore.store.session import Store, create_store

CHOICES_HOLD_S = 2  # how long another process may not notice what was chosen in this one


@st.cache_resource(show_spinner=False)
def open_store() -> Store:
    """The store of this process, migrated once, so that a plain `streamlit run Home.py` works."""
    logging.basicConfig(level=settings().log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    store = create_store(settings().resolved_database_url)
    migrate.upgrade(store)
    return store


@st.cache_resource(show_spinner=False, ttl=CHOICES_HOLD_S)
def in_force() -> Settings:
    """The settings with what was chosen on the Settings page folded in."""
    chosen = preferences.effective(open_store(), settings())
    daily_totals.keep(open_store(), chosen.time_zone)
    calibrating.resume(open_store())
    return chosen


@st.cache_resource(show_spinner=False, ttl=CHOICES_HOLD_S)
def uncertain_below() -> float:
    """The confidence below which a result is called uncertain."""
    return preferences.uncertain_below(open_store())


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


@st.cache_resource(show_spinner=False)
def background_import() -> BackgroundImport:
    """The one import of this process."""
    return BackgroundImport()


def load_model() -> BatchingQueue:
    """The model that was chosen, with its queue, which is one for all sessions; the first call loads it."""
    return shared(registry.load_recognizer(in_force()))
