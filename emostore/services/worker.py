"""The worker: one thread in every process that takes items from the queue and analyses them.

The queue is the project's own two tables. Items are shown page by page with their state, attempts and
translatable errors, are handed in and finished in our transactions, and must be safe under `kill -9` on
SQLite and PostgreSQL. Of the libraries, huey deletes a task when a worker takes it; dbos keeps tables of
its own, calls its SQLite mode one for development, and recovers work by executor id rather than by lease;
procrastinate, pgqueuer and chancy need PostgreSQL.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import uuid
from collections.abc import Callable

from emostore.config import Settings
from emostore.engine.recognizer import Recognizer
from emostore.i18n import N_, Sentence
from emostore.services import jobs, processes, staging
from emostore.services.job_run import Run
from emostore.services.job_views import sentence_as_json
from emostore.store import job_claims
from emostore.store.session import Store

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
LEASE_S = 30.0  # an item whose worker was silent for so long may be taken by another one
RENEW_S = 5.0
POLL_S = 1.0  # how soon work that another process was given is noticed at first …
IDLE_POLL_S = 5.0  # … and after a while without any
_TIDY_S = 3600.0  # files that a dead process left are looked for at the start and then so often
_LONGEST_PAUSE_S = 60.0  # after errors of the queue itself

_KILLER = Sentence(
    N_(
        "The program stopped {count} times in the middle of this file, so it is not tried again by itself. Look into"
        " the log for the reason, then try again or leave the file out."
    ),
    {"count": MAX_ATTEMPTS},
)


class Worker:
    """Analyses what is in the queue, one item after the other, until it is stopped.

    `load_recognizer` is asked for every item, so that another model is used as soon as it is chosen; it
    is expected to load each model once.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        load_recognizer: Callable[[], Recognizer],
        *,
        lease_s: float = LEASE_S,
        renew_s: float = RENEW_S,
    ) -> None:
        self.name = processes.new_worker_name()
        self._store, self._settings, self._load = store, settings, load_recognizer
        self._lease_s, self._renew_s = lease_s, renew_s
        self._bell = jobs.listen()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads: tuple[threading.Thread, ...] = ()
        self._run: Run | None = None

    def start(self) -> None:
        """Begin to work in the background; does nothing if it has begun."""
        with self._lock:
            if any(thread.is_alive() for thread in self._threads):
                return
            self._stopping.clear()
            self._threads = tuple(
                threading.Thread(target=work, name=f"emostore-{what}", daemon=True)
                for what, work in (("worker", self._work), ("heartbeat", self._beat))
            )
            for thread in self._threads:
                thread.start()
            atexit.register(self._give_back)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop after the stage at hand and put the item back, without counting the attempt."""
        self._stopping.set()
        self._bell.set()
        for thread in self._threads:
            thread.join(timeout_s)
        atexit.unregister(self._give_back)
        self._give_back()

    def run_once(self) -> bool:
        """Take one item and do it, in this thread; False if there was none."""
        self._release()
        claimed = job_claims.claim(self._store, self.name, self._lease_s)
        if claimed is None:
            return False
        self._run = Run(self._store, self._settings, self._load, claimed, self.name, MAX_ATTEMPTS, self._stopping)
        try:
            self._run.do()
        finally:
            self._run = None
        return True

    def _work(self) -> None:
        pause_s, errors, tidied_at = POLL_S, 0, float("-inf")
        while not self._stopping.is_set():
            self._bell.clear()  # before looking, so that what comes while we look rings again
            try:
                if time.monotonic() - tidied_at > _TIDY_S:
                    tidied_at = time.monotonic()
                    staging.remove_left_over(self._store, self._settings)
                    staging.sweep(self._store, self._settings)
                if self.run_once():
                    pause_s, errors = POLL_S, 0
                    continue
                errors = 0
                self._bell.wait(pause_s)
                pause_s = min(IDLE_POLL_S, pause_s * 1.2)
            except Exception:
                errors += 1
                reference = uuid.uuid4().hex[:8]
                log.exception("Error %s of the queue; the worker goes on after a pause", reference)
                self._stopping.wait(min(_LONGEST_PAUSE_S, 2.0**errors))

    def _beat(self) -> None:
        """Keep the item at hand, which may take longer than a lease."""
        while not self._stopping.wait(self._renew_s):
            run = self._run
            if run is None:
                continue
            try:
                if not job_claims.renew(self._store, run.item.id, self.name, self._lease_s):
                    run.lost.set()
            except Exception:  # the next beat tries again; if the lease runs out, saving is still done only once
                log.warning("The lease of item %s could not be renewed", run.item.id, exc_info=True)

    def _release(self) -> None:
        """Put back what workers hold who are gone or were silent for too long."""
        others = [name for name in job_claims.running_workers(self._store) if name != self.name]
        gone = [name for name in others if processes.is_gone(name)]
        count = job_claims.release(self._store, gone, MAX_ATTEMPTS, sentence_as_json(_KILLER))
        if count:
            log.warning("Took over %s items whose workers are gone", count)

    def _give_back(self) -> None:
        self._stopping.set()
        try:
            job_claims.give_back(self._store, self.name)
        except Exception:
            log.warning("Items could not be put back; they are when their lease runs out", exc_info=True)
