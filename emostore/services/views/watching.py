"""Alerts and their rules as the Alerts page shows them: in words, with what feedback says of each rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emostore.analytics.alerts import Alert, AlertRule, blind
from emostore.errors import SettingsError
from emostore.i18n import Sentence
from emostore.services import alerting
from emostore.services.calibration import masked
from emostore.store.alerts import alert_rules
from emostore.store.alerts.alert_rules import RuleView
from emostore.store.reports import alert_reports
from emostore.store.reports.report_views import AlertView, ModelInUse, RuleFeedback
from emostore.store.rollups import rollup_reading
from emostore.store.session import Store


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """The newest version of a rule, None in `rule` if this version of the program cannot read it.

    `blind` says which emotions of the rule the model in use cannot produce, None if it can produce all.
    """

    view: RuleView
    rule: AlertRule | None
    feedback: RuleFeedback
    blind: Sentence | None


def rules(store: Store) -> tuple[RuleStatus, ...]:
    """Every rule, active ones first; those that come with the program are put in place by the first call ever."""
    alerting.active_rules(store)
    model = model_in_use(store)
    judged = {each.rule: each for each in alert_reports.feedback(store)}
    found = [_status(view, judged, model) for view in alert_rules.newest(store)]
    return tuple(sorted(found, key=lambda each: not each.view.active))


def model_in_use(store: Store) -> ModelInUse | None:
    """The model of the newest analysis, with the emotions that it really gives; None before the first one."""
    with store.reading() as session:
        found = rollup_reading.model_in_use(session, None)
    return masked.honest(store, found)


def sentence(view: AlertView) -> Sentence | None:
    """What an alert found, in words; None if this version cannot read its rule."""
    try:
        rule = AlertRule.from_data(view.rule_data)
    except SettingsError:
        return None
    return Alert(rule, view.value, view.start_s, view.end_s).sentence


def blindness(rule: AlertRule, model: ModelInUse | None) -> Sentence | None:
    """Which emotions of a rule a model cannot produce, in words; None if it can produce all, or there is no model."""
    return blind(rule, model.classes) if model else None


def _status(view: RuleView, judged: Mapping[str, RuleFeedback], model: ModelInUse | None) -> RuleStatus:
    rule = alerting.parsed(view)
    said = blindness(rule, model) if rule else None
    return RuleStatus(view, rule, judged.get(view.name, RuleFeedback(view.name, {})), said)
