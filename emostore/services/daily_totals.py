"""Daily totals that fit the reporting time zone: made again in the background where they do not."""

from __future__ import annotations

import logging
import threading

from emostore.errors import EmostoreError
from emostore.store.reports import reports
from emostore.store.rollups import rollup_build
from emostore.store.session import Store

log = logging.getLogger(__name__)

FEW = 1_000  # clips are counted in a moment

_lock = threading.Lock()
_running: dict[str, threading.Thread] = {}  # by the database


def keep(store: Store, time_zone: str) -> None:
    """Have the daily totals made again if they are of another time zone or not complete.

    Of a few clips that is done at once, of many in the background. Costs one short query where nothing is to
    be done. What is interrupted by the end of the program goes on with the next call.
    """
    if not rollup_build.status(store).stale(time_zone):
        return
    if len(reports.latest_clips(store, FEW).rows) < FEW:
        _make(store, time_zone)
        return
    database = str(store.engine.url)
    with _lock:
        running = _running.get(database)
        if running is not None and running.is_alive():
            return  # if it is for another time zone, it stops by itself, and the next call begins anew
        thread = threading.Thread(target=_make, args=(store, time_zone), name="daily totals", daemon=True)
        _running[database] = thread
        thread.start()


def wait(store: Store, timeout_s: float | None = None) -> None:
    """Wait until the work that `keep` began has ended."""
    with _lock:
        running = _running.get(str(store.engine.url))
    if running is not None:
        running.join(timeout_s)


def _make(store: Store, time_zone: str) -> None:
    try:
        rollup_build.ensure(store, time_zone)
    except EmostoreError as error:
        log.warning("The daily totals could not be made: %s", error)
    except Exception:
        log.exception("The daily totals could not be made")
