"""An import that goes on while the page that asked for it is left."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emostore import access
from emostore.config import Settings
from emostore.errors import EmostoreError
from emostore.i18n import Explained
from emostore.services.analysis import unexpected
from emostore.services.importing import writing
from emostore.services.importing.assemble import Options
from emostore.services.importing.planning import Plan
from emostore.services.importing.sources import Given
from emostore.services.importing.writing import Imported
from emostore.store.session import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How import `number` ended: with what was `imported`, also if it was cancelled, or with a `problem` on its way.

    `done` of its `total` clips had been read by then; all that were stored stay, and importing again brings the rest.
    """

    number: int
    done: int
    total: int
    imported: Imported | None = None
    problem: Explained | None = None


class BackgroundImport:
    """At most one import in this process, followed by any number of pages."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None
        self._untold = False  # whether nobody was told yet how the last one ended
        self.number = 0  # of the one that runs, or of the last one
        self.progress = (0, 0)  # clips of it that were read, and all of them
        self.ended: Ended | None = None

    @property
    def running(self) -> bool:
        """Whether an import is under way."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def cancelling(self) -> bool:
        """Whether the one that runs was told to stop."""
        return self.running and self._cancel.is_set()

    def start(
        self, store: Store, settings: Settings, given: Sequence[Given], options: Options, planned: Plan
    ) -> int | None:
        """Begin what `writing.write` does, and give its number; None while another one is under way.

        Open files among those that are given belong to the import from now on, which closes them at its end.
        Raises `AccessError` without the right.
        """
        access.require("analyse")
        with self._lock:
            if self.running:
                return None
            self.number += 1
            self.progress, self.ended = (0, len(planned.wanted)), None
            self._cancel.clear()
            self._thread = threading.Thread(
                target=self._run, args=(store, settings, given, options, planned), name="emostore-import", daemon=True
            )
            self._thread.start()
            return self.number

    def cancel(self) -> None:
        """Stop soon; what is stored by then stays."""
        access.require("analyse")
        self._cancel.set()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the import that runs has ended."""
        if self._thread is not None:
            self._thread.join(seconds)

    def told(self, followed: int | None) -> Ended | None:
        """How the last one ended, for whoever `followed` it by its number; for all others only if nobody knows yet."""
        with self._lock:
            ended = None if self.running else self.ended
            if ended is None or (ended.number != followed and not self._untold):
                return None
            self._untold = False
            return ended

    def _run(self, store: Store, settings: Settings, given: Sequence[Given], options: Options, planned: Plan) -> None:
        done: Imported | None = None
        problem: Explained | None = None
        try:
            done = writing.write(
                store, settings, given, options, planned, progress=self._show, cancelled=self._cancel.is_set
            )
        except EmostoreError as error:
            problem = error
        except Exception:
            reference = uuid.uuid4().hex[:8]
            log.exception("Unexpected error %s while importing", reference)
            problem = unexpected(reference)
        finally:
            for each in given:
                if not isinstance(each.source, Path):
                    each.source.close()
        self.ended, self._untold = Ended(self.number, *self.progress, done, problem), True

    def _show(self, done: int, total: int) -> None:
        self.progress = (done, total)
