"""Calibrations at work: saving under them, activating one, rolling back.

Activating scores what is stored in the background, beside what is read, and moves the pointer when the last analysis is
done; then the alert rules are asked again of the new scores. Each step is in the database, so that whatever ends the
program, `resume` goes on. Rolling back is activating the calibration of before: its scores are still there.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from emostore import access
from emostore.analytics.calibration import Calibration, Head, apply
from emostore.emotions import EmotionScores
from emostore.engine.recognizer import Recognizer
from emostore.errors import EmostoreError
from emostore.services import alerting
from emostore.services.calibration import masked
from emostore.store import audit
from emostore.store.calibration import calibrations, rescoring
from emostore.store.calibration.calibrations import CalibrationView
from emostore.store.rollups.rollup_reading import Model
from emostore.store.session import Store
from emostore.store.writing import clips, edits, records

log = logging.getLogger(__name__)

AT_ONCE = 10_000  # analyses in one transaction, at most: the more, the fewer roll-ups are touched twice
HELD_S = 0.4  # that one may take, in which nobody else writes to SQLite; what took longer is followed by less
PAUSE_S = 0.11  # between two of them, at most; who waits for SQLite's lock asks for it every tenth of a second
_LEAST = 500  # analyses in one transaction, however slow
_TRIES = 5  # to save while calibrations come and go

_lock = threading.Lock()
_running: dict[str, threading.Thread] = {}  # by the database


@dataclass(frozen=True, slots=True)
class Progress:
    """How many analyses of how many are scored; then alerts are looked at again until `done`."""

    scored: int
    total: int
    done: bool


def save_many(store: Store, analyses: Sequence[records.NewAnalysis], user: str | None = None) -> list[records.Saved]:
    """Save analyses as `clips.save_many` does, scored under every calibration in use.

    Where other scores than the raw ones are read, alerts are those of the scores that are read, whatever was given.
    """
    models = {(each.model.name, each.model.revision) for each in analyses}
    for _ in range(_TRIES):
        with contextlib.suppress(records.RecalibratedError):  # another one came into use in this moment
            return clips.save_many(store, _scored(store, analyses, calibrations.live(store, models)), user)
    return clips.save_many(store, _scored(store, analyses, calibrations.live(store, models)), user)


def create(
    store: Store,
    model: Model,
    name: str,
    calibration: Calibration,
    *,
    fitted_on: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> int:
    """Keep a calibration as the next version of a model's, not active yet; its id. It never changes.

    Raises `MetadataError` for a name that cannot be and a model that analysed nothing.
    """
    access.require("administer")
    user = access.current_user().name
    with edits.changing(store) as session:
        identifier = calibrations.add(
            session,
            calibrations.model_id(session, model),
            name,
            calibration.as_data(),
            fitted_on=fitted_on,
            metrics=metrics,
            user=user,
        )
        details = {"calibration": identifier, "name": name, "model": list(model), "what": "created"}
        audit.record(session, user, "changed", "settings", None, details)
    return identifier


def parsed(view: CalibrationView) -> Calibration:
    """What the parameters mean. Raises `SettingsError` if this version cannot read them."""
    return Calibration.from_data(view.parameters)


def activate(store: Store, calibration_id: int) -> None:
    """Have everybody read the scores of a calibration, once they are all there; also back to one of before.

    Returns at once; `progress` tells how far it is and `wait` waits. Raises `MetadataError` for one that is gone or is
    read already, `SettingsError` for one that cannot be read.
    """
    access.require("administer")
    user = access.current_user().name
    with edits.changing(store) as session:
        view = calibrations.begin(session, calibration_id)
        parsed(view)
        details = {"calibration": view.id, "name": view.name, "model": list(view.model), "what": "activated"}
        audit.record(session, user, "changed", "settings", None, details)
        if view.state == "complete":  # raw: nothing to score
            calibrations.activate(session, calibration_id)
    resume(store)


def cancel(store: Store, calibration_id: int) -> bool:
    """Leave a calibration that is being scored: what is read stays. False if it came to its end meanwhile."""
    access.require("administer")
    view = calibrations.get(store, calibration_id)
    with edits.changing(store) as session:
        left = calibrations.stop(session, calibration_id)
        if left:
            details = {"calibration": view.id, "name": view.name, "model": list(view.model), "what": "cancelled"}
            audit.record(session, access.current_user().name, "changed", "settings", None, details)
    return left


def progress(store: Store, calibration_id: int) -> Progress:
    """How far activating a calibration is."""
    view = calibrations.get(store, calibration_id)
    done, total = rescoring.progress(store, calibration_id)
    return Progress(done, total, view.active and view.state == "complete")


def resume(store: Store) -> None:
    """Go on with what was activated and is not finished, in the background; costs one short query if nothing is."""
    if not calibrations.unfinished(store):
        return
    database = str(store.engine.url)
    with _lock:
        running = _running.get(database)
        if running is None or not running.is_alive():
            thread = threading.Thread(target=_work, args=(store,), name="calibrating", daemon=True)
            _running[database] = thread
            thread.start()


def wait(store: Store, timeout_s: float | None = None) -> None:
    """Wait until the work that `activate` or `resume` began has ended."""
    with _lock:
        running = _running.get(str(store.engine.url))
    if running is not None:
        running.join(timeout_s)


def finish(store: Store, cancelled: Callable[[], bool] = lambda: False) -> None:
    """Score, flip and ask the rules again until nothing is unfinished; what `resume` does in the background."""
    while not cancelled() and (views := calibrations.unfinished(store)):
        view = views[0]
        if view.state == "scoring":
            _score(store, view, cancelled)
        else:
            for each in alerting.active_rules(store):
                alerting.apply(store, each.rule.name, model=view.model)
            with store.transaction() as session:
                calibrations.settle(session, view.id)


def follow_domains(session: Session, recording_ids: Sequence[int], rules: Sequence[alerting.ActiveRule]) -> None:
    """Score recordings again whose domain was changed in this transaction, where a calibration reads domains apart."""
    for view in calibrations.of_recordings(session, recording_ids):
        calibration = parsed(view)
        if calibration.heads:
            batch = rescoring.of_recordings(session, view.id, recording_ids)
            scores = apply(calibration, batch.logits, batch.embeddings, batch.domains)
            clip_ids = rescoring.rewrite(session, view.id, batch, scores)
            if view.active:
                alerting.ask_again(session, rules, clip_ids)


def keep_head(store: Store, recognizer: Recognizer) -> None:
    """Keep the last layer of a model that gives it, so that alignments can be fitted without the model."""
    behind = getattr(recognizer, "recognizer", recognizer)  # of a queue
    weight, bias = (getattr(behind, name, None) for name in ("head_weight", "head_bias"))
    model = (recognizer.info.name, recognizer.info.revision)
    if weight is not None and bias is not None and not calibrations.has_head(store, model):
        with store.transaction() as session:
            calibrations.keep_head(session, model, Head(weight, bias).as_data())


def head(store: Store, model: Model) -> Head | None:
    """The last layer of a model; None if it never gave it."""
    found = calibrations.head(store, model)
    return None if found is None else Head.from_data(found)


def _work(store: Store) -> None:
    try:
        finish(store)
    except EmostoreError as error:
        log.warning("A calibration could not be brought to its end: %s", error)
    except Exception:
        log.exception("A calibration could not be brought to its end")


def _score(store: Store, view: CalibrationView, cancelled: Callable[[], bool]) -> None:
    """Score batch after batch, and flip behind the last."""
    calibration = parsed(view)
    at_once, written_at, took_s = AT_ONCE, 0.0, 0.0
    while not cancelled():
        batch = rescoring.next_batch(store, view.id, at_once, with_embeddings=calibration.reads_embeddings)
        if batch is None:
            return
        if not len(batch.ids):
            _flip(store, view)
            return
        scores = apply(calibration, batch.logits, batch.embeddings, batch.domains or None)
        if store.engine.name == "sqlite":
            # Who waits asks again after ever longer whiles, each at most half as long as he has waited.
            time.sleep(max(0.0, written_at + min(PAUSE_S, took_s / 2) - time.monotonic()))
        began = time.monotonic()
        rescoring.save(store, view.id, batch, scores)
        written_at = time.monotonic()
        took_s = max(written_at - began, 1e-3)
        at_once = min(AT_ONCE, max(_LEAST, int(len(batch.ids) * HELD_S / took_s)))


def _flip(store: Store, view: CalibrationView) -> None:
    with edits.changing(store) as session:
        calibrations.activate(session, view.id, expected="scoring")


def _scored(
    store: Store, analyses: Sequence[records.NewAnalysis], in_use: Mapping[Model, Sequence[CalibrationView]]
) -> list[records.NewAnalysis]:
    """The analyses with their scores under what is in use, and the alerts of the scores that are read."""
    if all(view.version == 1 for views in in_use.values() for view in views):
        return list(analyses)
    rules = alerting.active_rules(store)
    parameters = {view.id: parsed(view) for views in in_use.values() for view in views if view.version > 1}
    absent = alerting.absent(store)
    return [
        _with_scores(each, in_use[each.model.name, each.model.revision], parameters, rules, absent) for each in analyses
    ]


def _with_scores(
    analysis: records.NewAnalysis,
    in_use: Sequence[CalibrationView],
    parameters: Mapping[int, Calibration],
    rules: Sequence[alerting.ActiveRule],
    absent: masked.Reader,
) -> records.NewAnalysis:
    outcome, model = analysis.outcome, analysis.model
    if isinstance(outcome, records.NoSpeech):
        return analysis
    # As precise as it is stored, so that scoring it again gives the same.
    vector = None if outcome.embedding is None else np.asarray(outcome.embedding, np.float16)[None]
    logits = np.asarray(outcome.logits, np.float32)[None]
    domains = [analysis.clip.recording.domain]
    calibrated = {
        view.id: EmotionScores(tuple(apply(parameters[view.id], logits, vector, domains)[0].tolist()))
        for view in in_use
        if view.id in parameters
    }
    read_under = next((view.id for view in in_use if view.active and view.id in parameters), None)
    outcome = replace(outcome, calibrated=calibrated, read_under=read_under)
    if read_under is None:
        return replace(analysis, outcome=outcome)
    clip = analysis.clip
    raised = alerting.raised(
        rules,
        outcome.read,
        role=clip.role,
        speech_s=clip.speech_s,
        windows=alerting.windows_of(outcome, clip.segments, parameters[read_under]),
        classes=alerting.trusted(model.classes, (model.name, model.revision), [each.rule for each in rules], absent),
    )
    return replace(analysis, outcome=outcome, alerts=raised)
