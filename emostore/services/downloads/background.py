"""A download that goes on while the page that asked for it is left."""

from __future__ import annotations

import logging
import threading
import uuid

from emostore import access
from emostore.errors import EmostoreError
from emostore.i18n import N_, Explained, Sentence
from emostore.services.downloads.installing import download
from emostore.services.downloads.planning import DownloadPlan
from emostore.services.downloads.progress import DownloadProgress
from emostore.services.downloads.transfer import DownloadCancelledError

log = logging.getLogger(__name__)


class BackgroundDownload:
    """At most one download in this process, followed by any number of pages."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None
        self.progress: DownloadProgress | None = None  # of the one that runs, or of the last one
        self.problem: Explained | None = None  # why the last one ended without a model
        self.finished = False  # whether the last one brought a model

    @property
    def running(self) -> bool:
        """Whether a download is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, plan: DownloadPlan) -> None:
        """Begin; does nothing while one is under way. Raises `AccessError` without the right."""
        access.require("administer")
        with self._lock:
            if self.running:
                return
            self.progress, self.problem, self.finished = None, None, False
            self._cancel.clear()
            self._thread = threading.Thread(target=self._run, args=(plan,), name="emostore-download", daemon=True)
            self._thread.start()

    def cancel(self) -> None:
        """Stop; what has arrived is kept, and the next download goes on from there."""
        access.require("administer")
        self._cancel.set()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the download that runs has ended."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, plan: DownloadPlan) -> None:
        try:
            download(plan, progress=self._show, cancelled=self._cancel.is_set)
            self.finished = True
        except DownloadCancelledError:
            log.info("The download was cancelled")
        except EmostoreError as error:
            self.problem = error
        except Exception:
            reference = uuid.uuid4().hex[:8]
            log.exception("Unexpected error %s while downloading", reference)
            self.problem = Sentence(
                N_("Something went wrong that we did not foresee; the log has the details under {id}."),
                {"id": reference},
            )

    def _show(self, progress: DownloadProgress) -> None:
        self.progress = progress
