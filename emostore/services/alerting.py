"""Alert rules at work: asked when a clip is saved, and again when they or what they judge has changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from emostore import access
from emostore.analytics.alerts import DEFAULT_RULES, Alert, AlertRule, Role, findings, is_blind
from emostore.analytics.calibration import RAW, Calibration
from emostore.analytics.trajectory import Trajectory
from emostore.emotions import EMOTIONS
from emostore.errors import MetadataError, SettingsError
from emostore.services.calibration import masked, over_time
from emostore.services.calibration.over_time import Reader, trajectory
from emostore.store import audit
from emostore.store.alerts import alert_rules, alerts, rule_previews
from emostore.store.alerts.alert_rules import RuleView
from emostore.store.alerts.rule_previews import Candidate, Limit, Scope
from emostore.store.calibration import calibrations
from emostore.store.calibration import masked as stored_masked
from emostore.store.reports.report_views import ModelInUse
from emostore.store.rollups.rollup_reading import Model
from emostore.store.session import Store
from emostore.store.writing import edits, records

log = logging.getLogger(__name__)

MOST_MOMENTS = 20  # alerts that one rule raises for one clip, the longest
PREVIEW_DAYS = 30
_TOLD_EVERY = 500  # analyses between two words of progress
_AT_ONCE = 200  # analyses whose alerts change in one transaction


@dataclass(frozen=True, slots=True)
class ActiveRule:
    """A rule with the id of its stored version."""

    id: int
    rule: AlertRule


@dataclass(frozen=True, slots=True)
class Preview:
    """How many clips of how many a rule would have raised an alert for."""

    found: int
    asked: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What asking a rule again came to; alerts that somebody has touched are in neither number."""

    raised: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class _Known:
    """What is looked up once for many clips: calibrations, and what models were never seen to give."""

    read: Reader
    absent: masked.Reader


def active_rules(store: Store) -> tuple[ActiveRule, ...]:
    """The rules to ask; the first call ever puts those in place that come with the program.

    A rule that this version cannot read is left out and logged.
    """
    found = alert_rules.active(store)
    if not found and not alert_rules.newest(store):
        with edits.changing(store) as session:
            alert_rules.seed(session, [(rule.name, rule.as_data()) for rule in DEFAULT_RULES], "")
        found = alert_rules.active(store)
    return tuple(ActiveRule(each.id, rule) for each in found if (rule := parsed(each)) is not None)


def parsed(view: RuleView) -> AlertRule | None:
    """A stored rule; None if this version cannot read it."""
    try:
        return AlertRule.from_data(view.data)
    except SettingsError as error:
        log.warning("Version %s of the alert rule %r was left out: %s", view.version, view.name, error)
        return None


def raised(
    rules: Sequence[ActiveRule],
    scores: Mapping[str, float],
    *,
    role: Role,
    speech_s: float | None,
    windows: Trajectory | None,
    classes: Collection[str] = EMOTIONS,
) -> tuple[records.NewAlert, ...]:
    """What the rules find in one clip, ready to be stored with it; of many moments the longest, in order of time."""
    return tuple(
        new_alert(each.id, alert)
        for each in rules
        for alert in _longest(
            findings(each.rule, scores, role=role, speech_s=speech_s, windows=windows, classes=classes)
        )
    )


def trusted(
    classes: Collection[str], model: Model, rules: Iterable[AlertRule], absent: masked.Reader
) -> Collection[str]:
    """The `classes` that a model declares, as far as rules may go by them.

    A rule that asks for *little* of an emotion would find something in every clip of a model that was never seen to
    give it, so such an emotion counts as one that the model cannot give. Looked up only where a rule asks so.
    """
    if not any(rule.operator in ("<", "<=") for rule in rules):
        return classes
    never = absent(model).never
    return tuple(name for name in classes if name not in never) if never else classes


def absent(store: Store) -> masked.Reader:
    """What models were never seen to give, for `trusted`."""
    return masked.reader(partial(stored_masked.given, store))


def windows_of(
    outcome: records.Analysed, segments: NDArray[np.float64] | None, calibration: Calibration = RAW
) -> Trajectory | None:
    """What a clip's analysis has of windows, as rules look at them: under the `calibration` that is read."""
    windows = outcome.windows
    return trajectory(windows.logits, windows.hop_s, windows.length_s, segments, calibration) if windows else None


def new_alert(rule_id: int, alert: Alert) -> records.NewAlert:
    """An alert as the store takes it."""
    rule = alert.rule
    return records.NewAlert(rule_id, rule.severity, alert.value, rule.threshold, alert.start_s, alert.end_s)


def preview(
    store: Store,
    rule: AlertRule,
    *,
    model: Model | None = None,
    from_date: date | None = None,
    to_date: date | None = None,
    time_zone: str = "UTC",
    cancelled: Callable[[], bool] = lambda: False,
) -> Preview:
    """How many clips of these days the rule finds something in. Rules that look at windows read all of them."""
    scope = Scope(model, from_date, to_date, time_zone, rule.roles, rule.min_speech_s)
    limit = Limit(rule.emotions, rule.operator, rule.threshold)
    known = _Known(over_time.reader(partial(calibrations.get, store)), absent(store))
    if rule.sustained_s is None:
        counted = rule_previews.count(store, scope, limit)
        used = rule_previews.model_in_use(store, model)
        if used and is_blind(rule, trusted(used.classes, (used.name, used.revision), [rule], known.absent)):
            return Preview(0, counted.asked)
        near = rule_previews.candidates(store, scope, limit, only_near=True) if counted.near else ()
        return Preview(counted.beyond + sum(bool(_found(rule, each, known)) for each in near), counted.asked)
    found = asked = 0
    for each in rule_previews.candidates(store, scope, with_windows=True):
        if cancelled():
            break
        asked += 1
        found += bool(_found(rule, each, known))
    return Preview(found, asked)


def save_rule(store: Store, rule: AlertRule, *, active: bool = True) -> int:
    """Save a rule as the next version of its name; its id. `apply` then asks it of what is stored."""
    access.require("administer")
    user = access.current_user().name
    with edits.changing(store) as session:
        rule_id = alert_rules.add_version(session, rule.name, rule.as_data(), user, active=active)
        audit.record(session, user, "changed", "settings", None, {"alert_rule": rule.as_data(), "active": active})
    return rule_id


def switch_rule(store: Store, rule_id: int, active: bool) -> None:
    """Switch a version of a rule on or off. `apply` then withdraws or raises its alerts."""
    access.require("administer")
    with edits.changing(store) as session:
        alert_rules.set_active(session, rule_id, active)
        details = {"alert_rule": rule_id, "active": active}
        audit.record(session, access.current_user().name, "changed", "settings", None, details)


def apply(
    store: Store,
    name: str,
    *,
    model: Model | None = None,
    from_date: date | None = None,
    time_zone: str = "UTC",
    progress: Callable[[int], None] = lambda done: None,
) -> Applied:
    """Ask a rule again of the stored clips from a day on: raise what it finds, withdraw what it does not any more.

    What somebody has touched stays. Works in small transactions, so that it may be stopped at any time (by an
    exception of `progress`, say) and asked again from the start; `progress` hears now and then how many analyses
    were looked at. Alerts of other models, or of days before, are left as they are. If other scores come to be read
    meanwhile, it begins anew with these.
    """
    access.require("administer")
    while True:
        with suppress(records.RecalibratedError):
            return _apply(store, name, model, from_date, time_zone, progress)


def ask_again(session: Session, rules: Sequence[ActiveRule], clip_ids: Collection[int]) -> None:
    """Ask rules again of some clips, in the transaction that changed what the rules look at."""
    rule_previews.hold_calibrations(session)
    known = _Known(
        over_time.reader(partial(calibrations.within, session)), masked.reader(partial(stored_masked.within, session))
    )
    found = rule_previews.of_clips(session, clip_ids)
    for each in rules:
        judged = {one.analysis_id: _alerts(each, _found(each.rule, one, known)) for one in found}
        alerts.replace(session, each.rule.name, judged)


def set_state(store: Store, alert_ids: Sequence[int], state: alerts.AlertState, comment: str = "") -> None:
    """Say what became of alerts, with a comment beside each if there is one."""
    access.require("edit", alert_ids)
    if state not in ("open", "acknowledged", "resolved", "false_alarm"):
        raise MetadataError("{found} is not a state of an alert.", found=repr(state))
    user = access.current_user().name
    with edits.changing(store) as session:
        alerts.set_state(session, alert_ids, state, user)
        for alert_id in alert_ids if comment.strip() else ():
            alerts.comment(session, alert_id, comment, user)


def assign(store: Store, alert_ids: Sequence[int], assignee: str | None) -> None:
    """Say who looks after alerts; None is nobody."""
    access.require("edit", alert_ids)
    with edits.changing(store) as session:
        alerts.assign(session, alert_ids, assignee, access.current_user().name)


def comment(store: Store, alert_id: int, text: str) -> None:
    """Write something down beside an alert."""
    access.require("edit", alert_id)
    with edits.changing(store) as session:
        alerts.comment(session, alert_id, text, access.current_user().name)


def _apply(
    store: Store,
    name: str,
    model: Model | None,
    from_date: date | None,
    time_zone: str,
    progress: Callable[[int], None],
) -> Applied:
    """What `apply` does. Raises `RecalibratedError` where other scores than those it began with are read by now."""
    used = rule_previews.model_in_use(store, model)
    if used is None:
        progress(0)
        return Applied(0, 0)
    scope = Scope((used.name, used.revision), from_date, None, time_zone)
    rule = next((each for each in active_rules(store) if each.rule.name == name), None)
    known = _Known(over_time.reader(partial(calibrations.get, store)), absent(store))
    found: dict[int, Sequence[records.NewAlert]] = {}
    total = Applied(0, 0)
    done = 0

    def flush() -> None:
        nonlocal total
        with edits.changing(store) as session:
            if rule_previews.hold_calibrations(session).get(used.model_id) != used.calibration_id:
                raise records.RecalibratedError(
                    "Another calibration is in use by now, so nothing was saved. Try again."
                )
            added, gone = alerts.replace(session, name, found)
        total = Applied(total.raised + added, total.withdrawn + gone)
        found.clear()

    # Looked for first: a clip that is saved from here on brings its own alerts, which are not to be withdrawn.
    not_found = set(rule_previews.alerted(store, name, scope))
    for each in _candidates(store, rule.rule, scope, used) if rule else ():
        done += 1
        if done % _TOLD_EVERY == 0:
            progress(done)
        if rule and (new := _found(rule.rule, each, known)):
            not_found.discard(each.analysis_id)
            found[each.analysis_id] = _alerts(rule, new)
        if len(found) >= _AT_ONCE:
            flush()
    for analysis_id in sorted(not_found):
        found[analysis_id] = []
        if len(found) >= _AT_ONCE:
            flush()
    flush()
    progress(done)
    return total


def _candidates(store: Store, rule: AlertRule, scope: Scope, used: ModelInUse) -> Iterator[Candidate]:
    scope = replace(scope, roles=rule.roles, min_speech_s=rule.min_speech_s)
    if rule.sustained_s is None:
        limit = Limit(rule.emotions, rule.operator, rule.threshold)
        return rule_previews.candidates(store, scope, limit, used=used)
    return rule_previews.candidates(store, scope, with_windows=True, used=used)


def _found(rule: AlertRule, one: Candidate, known: _Known) -> tuple[Alert, ...]:
    windows = None
    if one.windows is not None and one.hop_s is not None and one.length_s is not None:
        windows = trajectory(one.windows, one.hop_s, one.length_s, one.segments, known.read(one.read_under))
    role: Role = one.role  # type: ignore[assignment]  # the table's constraint allows no other
    classes = trusted(one.classes, one.model, [rule], known.absent)
    return findings(rule, one.scores, role=role, speech_s=one.speech_s, windows=windows, classes=classes)


def _alerts(rule: ActiveRule, found: Sequence[Alert]) -> list[records.NewAlert]:
    return [new_alert(rule.id, alert) for alert in _longest(found)]


def _longest(found: Sequence[Alert]) -> list[Alert]:
    if len(found) <= MOST_MOMENTS:
        return list(found)
    kept = sorted(found, key=lambda each: (each.start_s or 0.0) - (each.end_s or 0.0))[:MOST_MOMENTS]
    return sorted(kept, key=lambda each: each.start_s or 0.0)
