"""One item, from its claim to its end."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from emostore.config import Settings
from emostore.engine.queue import BatchingQueue
from emostore.errors import AudioError, EmostoreError, StoreError, UnansweredError
from emostore.i18n import Explained
from emostore.services import preferences
from emostore.services.analysis import Analyser, ClipResult, Progress, Source, Status, unexpected
from emostore.services.queue import staging
from emostore.services.queue.job_views import description_from_json, result_as_json, sentence_as_json
from emostore.services.sound import media
from emostore.store.queue import job_claims, job_reports
from emostore.store.queue.job_records import Claimed
from emostore.store.session import Store

log = logging.getLogger(__name__)

_ASK_S = 0.25  # at most so often the database is told of a stage and asked whether to go on
_FIRST_DELAY_S = 2.0  # before a second try; each further one waits twice as long


class Run:
    """Does one item, which `worker` holds and nothing else. `lost` is set when it was cancelled or taken away."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        load_model: Callable[[], BatchingQueue],
        item: Claimed,
        worker: str,
        max_attempts: int,
        stopping: threading.Event,
    ) -> None:
        self.item, self.worker, self.lost = item, worker, threading.Event()
        self._store, self._settings, self._load = store, settings, load_model
        self._max_attempts, self._stopping = max_attempts, stopping
        self._asked_at = self._told_at = float("-inf")

    def do(self) -> None:
        """Analyse the item and write down what became of it. Raises only if that cannot be written down."""
        began = time.monotonic()
        results: list[ClipResult] = []
        try:
            results = self._analyse()
            error = next((result.reason for result in results if result.status is Status.FAILED), None)
        except EmostoreError as named:
            error = named
        except Exception:
            reference = uuid.uuid4().hex[:8]
            log.exception("Unexpected error %s in item %s (%r)", reference, self.item.id, self.item.name)
            error = unexpected(reference)
        if not self._end(results, error, time.monotonic() - began):
            # It was cancelled, or is to be left to a later try, or somebody else has it; then this changes nothing.
            job_claims.give_back(self._store, self.worker)
            staging.remove_left_over(self._store, self._settings)

    def _analyse(self) -> list[ClipResult]:
        source = self._source()
        analyser = Analyser(
            self._store,
            preferences.effective(self._store, self._settings),
            # What somebody uploaded goes before what is analysed once more.
            self._load().as_recognizer(interactive=self.item.kind == "analyse", cancelled=self._is_cancelled),
            progress=self._tell,
            cancelled=self._is_cancelled,
            saving=self._saving,
            keep=media.keep if self.item.clip_id is not None else staging.keep,
        )
        return list(analyser.analyse([source], description_from_json(self.item.description)))

    def _end(self, results: Sequence[ClipResult], error: Explained | None, took_s: float) -> bool:
        """Write the end down: done, failed, or put back to be tried again. False if the item has none yet."""
        item, told = self.item, [result_as_json(result, self._status(result)) for result in results]
        if error is None:
            if not results and self._is_over():
                return False
            is_done = job_claims.finish(self._store, item.id, self.worker, told, took_s)
            if is_done and item.staged_path:
                staging.remove(self._store, self._settings, {item.id: item.staged_path})
            return is_done
        if isinstance(error, UnansweredError):
            return False
        # A named error says what is wrong with the file, which trying again does not change.
        final = isinstance(error, EmostoreError) and not isinstance(error, StoreError)
        reason = sentence_as_json(error)
        if final or item.attempts >= self._max_attempts:
            return job_claims.fail(self._store, item.id, self.worker, reason, told, took_s)
        delay_s = _FIRST_DELAY_S * 2 ** (item.attempts - 1)
        return job_claims.try_later(self._store, item.id, self.worker, reason, delay_s)

    def _source(self) -> Source:
        """Where the sound is. Raises `AudioError` if it is gone."""
        item, folder = self.item, self._settings.data_dir
        if item.clip_id is not None:
            kept = self._kept(item.clip_id)
            return Source(kept, item.name, sha256=media.hash_of(kept.relative_to(folder.resolve()).as_posix()))
        path = folder / item.staged_path if item.staged_path else None
        if path is None or not path.is_file():
            raise AudioError("The uploaded file is no longer in {folder}. Upload it again.", folder=str(folder))
        return Source(path, item.name, item.queued_at)

    def _kept(self, clip_id: int) -> Path:
        kept = job_reports.kept_media(self._store, clip_id)
        found = media.find(kept[0], self._settings.data_dir) if kept else None
        if found is None:
            raise AudioError("The audio of this recording was not kept. Upload the file again to analyse it.")
        return found

    def _saving(self, sha256: str) -> None:
        """From here on, finding the recording stored means that this item did it."""
        job_claims.set_hash(self._store, self.item.id, self.worker, sha256)

    def _status(self, result: ClipResult) -> Status:
        """What a clip's status is to the person who handed the item in.

        An earlier try that was stopped between saving and saying so has stored it: it is new, all the same.
        """
        if result.status is not Status.STORED_ALREADY or result.sha256 != self.item.sha256:
            return result.status
        return Status.NO_SPEECH if result.reason is not None else Status.ANALYSED

    def _tell(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told_at >= _ASK_S:
            self._told_at = now
            job_claims.set_stage(self._store, self.item.id, self.worker, progress.stage.value)

    def _is_cancelled(self) -> bool:
        now = time.monotonic()
        if now - self._asked_at >= _ASK_S:
            self._asked_at = now
            if not job_claims.is_running(self._store, self.item.id, self.worker):
                self.lost.set()
        return self._is_over()

    def _is_over(self) -> bool:
        return self.lost.is_set() or self._stopping.is_set()
