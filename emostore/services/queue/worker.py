"""The worker: in every process, it takes items from the queue and analyses several at once.

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
from emostore.engine.hardware import physical_cores
from emostore.engine.queue import BatchingQueue
from emostore.i18n import N_, Sentence
from emostore.services import deleting
from emostore.services.queue import jobs, processes, staging
from emostore.services.queue.job_run import Run
from emostore.services.queue.job_views import sentence_as_json
from emostore.store.queue import job_claims
from emostore.store.queue.job_records import Kind
from emostore.store.session import Store

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
MOST_AT_ONCE = 8  # items: each holds up to `audio.decoding.SPOOL_BYTES` of sound and now and then a connection
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
    """Analyses what is in the queue, `at_once` items at a time, until it is stopped.

    One thread takes items and starts a `Run` for each, in a thread of its own: so the next files are decoded
    while the model works, and what they ask it becomes one batch. Another thread keeps the leases. The last of
    `at_once` is kept free for what people upload, so that it does not wait behind hours that are analysed again.

    An item that was tried before may be what stopped the program. It is done while nothing else is, so that
    no other item is counted a try for it.

    `load_model` is asked for every item, so that another model is used as soon as it is chosen; it is
    expected to load each model once.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        load_model: Callable[[], BatchingQueue],
        *,
        at_once: int | None = None,
        lease_s: float = LEASE_S,
        renew_s: float = RENEW_S,
    ) -> None:
        self._store, self._settings, self._load = store, settings, load_model
        self._at_once = at_once or min(MOST_AT_ONCE, 1 + physical_cores())
        self._lease_s, self._renew_s = lease_s, renew_s
        self._bell = jobs.listen()  # rings when something was handed in, when an item is done and to stop
        self._stopping = threading.Event()
        self._taking = threading.Lock()
        self._lock = threading.Lock()  # guards the two below
        self._threads: tuple[threading.Thread, ...] = ()
        self._runs: dict[Run, threading.Thread] = {}

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
        """Stop after the stages at hand and put the items back, without counting the attempts."""
        self._stopping.set()
        self._bell.set()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for thread in self._at_work().values():
            thread.join(max(0.0, deadline - time.monotonic()))
        atexit.unregister(self._give_back)
        self._give_back()

    def run_once(self) -> bool:
        """Take one item and do it, in this thread; False if there was none."""
        run = self._take()
        if run is None:
            return False
        self._do(run)
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
                    deleting.sweep_orphans(self._store, self._settings)
                if run := self._take_next():
                    self._begin(run)
                    pause_s, errors = POLL_S, 0
                    continue
                errors = 0
                self._bell.wait(pause_s)
                pause_s = min(IDLE_POLL_S, pause_s * 1.2)
            except Exception:
                errors += 1
                _log_error()
                self._stopping.wait(min(_LONGEST_PAUSE_S, 2.0**errors))

    def _take_next(self) -> Run | None:
        """The next item, if there is one and not too much is at work."""
        free = self._at_once - len(self._at_work())
        is_last = free == 1 and self._at_once > 1
        return self._take("analyse" if is_last else None) if free > 0 else None

    def _take(self, kind: Kind | None = None) -> Run | None:
        self._release()
        name = processes.new_worker_name()  # one for each item, so that what is said of one concerns no other
        with self._taking:
            item = None if self._stopping.is_set() else job_claims.claim(self._store, name, self._lease_s, kind)
            if item is None:
                return None
            run = Run(self._store, self._settings, self._load, item, name, MAX_ATTEMPTS, self._stopping)
            with self._lock:
                self._runs[run] = threading.current_thread()
        return run

    def _begin(self, run: Run) -> None:
        """Do an item in a thread of its own; one that was tried before in this one, when the others are done."""
        if run.item.attempts > 1:
            while len(self._at_work()) > 1:
                self._bell.wait()
                self._bell.clear()
            self._do(run)
            return
        thread = threading.Thread(target=self._do_and_log, args=(run,), name="emostore-item", daemon=True)
        try:
            with self._lock:
                thread.start()
                self._runs[run] = thread
        except RuntimeError:  # the system gives no more threads
            self._do(run)

    def _do_and_log(self, run: Run) -> None:
        try:
            self._do(run)
        except Exception:
            _log_error()

    def _do(self, run: Run) -> None:
        try:
            run.do()
        finally:
            with self._lock:
                del self._runs[run]
            self._bell.set()

    def _at_work(self) -> dict[Run, threading.Thread]:
        with self._lock:
            return dict(self._runs)

    def _beat(self) -> None:
        """Keep the items at hand, which may take longer than a lease."""
        while not self._stopping.wait(self._renew_s):
            for run in self._at_work():
                try:
                    if not job_claims.renew(self._store, run.item.id, run.worker, self._lease_s):
                        run.lost.set()
                except Exception:  # the next beat tries again; if the lease runs out, saving is still done only once
                    log.warning("The lease of item %s could not be renewed", run.item.id, exc_info=True)

    def _release(self) -> None:
        """Put back what workers hold who are gone or were silent for too long."""
        gone = [name for name in job_claims.running_workers(self._store) if processes.is_gone(name)]
        count = job_claims.release(self._store, gone, MAX_ATTEMPTS, sentence_as_json(_KILLER))
        if count:
            log.warning("Took over %s items whose workers are gone", count)

    def _give_back(self) -> None:
        self._stopping.set()
        try:
            with self._taking:  # what is being taken in this moment is put back, too, and nothing afterwards
                held = self._at_work()
            for run in held:
                job_claims.give_back(self._store, run.worker)
        except Exception:
            log.warning("Items could not be put back; they are when their lease runs out", exc_info=True)


def _log_error() -> None:
    log.exception("Error %s of the queue; the worker goes on after a pause", uuid.uuid4().hex[:8])
