"""The report of an agent: the voices of those the agent speaks with, by week, beside the team."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from emostore.analytics.over_time import Estimate
from emostore.analytics.quality import BALANCED
from emostore.emotions import EMOTIONS
from emostore.engine.figures import caution
from emostore.services.report import sections
from emostore.services.report.facts import AgentFacts
from emostore.services.report.parts import Document, Facts, Figure, Number, Part, Section, Table, Text
from emostore.services.report.pictures import Pictures
from emostore.services.report.wording import Wording
from emostore.services.views.agent_profile import AgentProfile
from emostore.store.reports.report_views import ModelInUse, SeriesPoint

if TYPE_CHECKING:
    from emostore.charts import LinePoint

NOTHING = Markup("—")


def document(found: AgentFacts, words: Wording) -> Document:
    """Everything that is told of an agent, for one reader's language."""
    _, profile, pictures = words.say, found.profile, Pictures()
    header, model = profile.header, profile.header.model
    written = []
    if model is not None and header.series:
        written += [
            Section(_("Week by week"), _weeks(profile, model, words, pictures)),
            Section(
                _("The nine means"),
                [*_means(profile, model, words), *sections.not_produced(model.name, found.masked, words)],
            ),
        ]
    written.append(Section(_("Alerts"), _alerts(found, words)))
    written.append(Section(_("What was counted"), _counted(found, words)))
    return Document(
        kind=_("Report of an agent"),
        title=words.name(header.agent),
        plain_title=header.agent,
        lead=_lead(profile, words),
        badges=[
            *([words.name(header.team)] if header.team else []),
            *([_("invented for the demo")] if header.demo else []),
        ],
        numbers=_numbers(profile, words),
        sections=written,
        closing=[
            _(
                "Intervals hold the true mean in 95 of 100 cases; sessions vary, so they come from sessions. "
                "Every clip counts the same."
            )
        ],
    )


def who(profile: AgentProfile, words: Wording) -> Markup:
    """Those beside whom the agent is shown."""
    _, team = words.say, profile.header.team
    return _("everybody") if team is None else _("team {team}", team=team)


def _lead(profile: AgentProfile, words: Wording) -> Markup:
    _, quality, others = words.say, profile.quality, profile.others_quality
    if quality is None:
        return _("No scored voice of those this agent speaks with is of these days.")
    if quality.low is None or quality.high is None:
        said = _("The mean quality is {value:.1f}; how sure that is, too few sessions tell.", value=quality.value)
    else:
        said = _(
            "The mean quality is {value:.1f}, in 95 of 100 cases truly between {low:.1f} and {high:.1f}.",
            value=quality.value,
            low=quality.low,
            high=quality.high,
        )
    if others is None:
        return said
    return said + " " + _("That of {who} is {value:.1f}.", who=who(profile, words), value=others.value)


def _numbers(profile: AgentProfile, words: Wording) -> list[Number]:
    _, totals, others = words.say, profile.header.totals, profile.others_quality
    numbers = []
    if profile.quality:
        beside = _("beside {value:.1f}", value=others.value) if others else Markup()
        numbers.append(Number(_("Quality"), Markup(f"{profile.quality.value:.1f}"), beside))
    return [
        *numbers,
        Number(_("Clips"), Markup(f"{totals.clips:,}")),
        Number(_("Speech"), words.duration(totals.speech_s)),
        Number(_("Alerts"), Markup(f"{totals.alerts:,}"), _("of customers' and mixed voices")),
    ]


def _weeks(profile: AgentProfile, model: ModelInUse, words: Wording, pictures: Pictures) -> list[Part]:
    """Quality with intervals beside the team, and the mix of emotions, each with its table."""
    from emostore import charts  # late: Altair takes half a second to import

    _, header, days = words.say, profile.header, profile.step_days
    others = str(_("{who}, mean", who=who(profile, words)).striptags())
    lines = {
        header.agent: _line(header.series, profile.qualities, days),
        others: _line(header.others_series, profile.others_qualities, days),
    }
    drawn = {name: line for name, line in lines.items() if line}
    heads = [_("Days"), _("Who"), _("Clips"), _("Quality"), _("from"), _("to")]
    rows = [
        [
            Markup(charts.day_label(point)),
            words.name(name),
            Markup(f"{point.clips:,}"),
            *(NOTHING if value is None else Markup(f"{value:.1f}") for value in (point.value, point.low, point.high)),
        ]
        for name, line in drawn.items()
        for point in line
    ]
    missing = [name for name in EMOTIONS if name not in model.classes]
    mixed = [
        charts.MixPoint(point.first_day, days, point.totals.clips, point.totals.mean_scores or {})
        for point in header.series
    ]
    shown = [name for name in EMOTIONS if name not in missing]
    mix_rows = [
        [
            Markup(charts.day_label(point)),
            Markup(f"{point.clips:,}"),
            *(Markup(f"{point.scores.get(name, 0.0):.3f}") for name in shown),
        ]
        for point in mixed
    ]
    mix_heads = [_("Days"), _("Clips"), *(words.emotion(name) for name in shown)]
    quality, mix = _("Quality by week, with intervals of 95 of 100 cases"), _("Mix of emotions by week")
    return [
        Figure(
            quality,
            pictures.draw(charts.line_chart(drawn, lang=words.language)),
            Table(quality, heads, rows, numbers=4),
            wide=True,
        ),
        Figure(
            mix,
            pictures.draw(charts.mix_chart(mixed, lang=words.language, missing=missing)),
            Table(mix, mix_heads, mix_rows, numbers=len(shown) + 1),
            wide=True,
        ),
    ]


def _line(points: Sequence[SeriesPoint], estimates: Sequence[Estimate], days: int) -> list[LinePoint]:
    from emostore import charts  # late, as above

    return [
        charts.LinePoint(point.first_day, days, point.totals.clips, each.value, each.low, each.high)
        for point, each in zip(points, estimates, strict=True)
    ]


def _means(profile: AgentProfile, model: ModelInUse, words: Wording) -> list[Part]:
    _, others = words.say, profile.header.others.mean_scores
    rows = []
    for name in EMOTIONS:
        if name not in model.classes:
            rows.append([words.emotion(name), _("not produced"), NOTHING, NOTHING, NOTHING, Markup()])
            continue
        mine = profile.scores[name]
        values = (mine.value, mine.low, mine.high, others[name] if others else None)
        shown = [NOTHING if value is None else words.percent(value) for value in values]
        rows.append([words.emotion(name), *shown, _("apart") if profile.apart(name) else Markup()])
    heads = [_("Emotion"), _("Mean"), _("from"), _("to"), _("Team"), _("Apart")]
    told = _("“Apart”: the mean of {who} lies outside the agent's interval.", who=who(profile, words))
    return [
        Table(_("The nine means beside {who}", who=who(profile, words)), heads, rows, numbers=5),
        Text(told, quiet=True),
    ]


def _alerts(found: AgentFacts, words: Wording) -> list[Part]:
    _, page = words.say, found.alerts
    parts = sections.alerts(page.rows, words, of_clip=False)
    if page.next is not None:
        parts.append(Text(_("The latest {shown} of more alerts.", shown=len(page.rows)), quiet=True))
    return parts


def _counted(found: AgentFacts, words: Wording) -> list[Part]:
    """Whose voices, which days and which model the numbers are of."""
    _, header, model = words.say, found.profile.header, found.profile.header.model
    roles = [(words.role(name), count) for name, count in header.clips_by_role.items() if count]
    facts = [
        (_("From"), words.day(found.from_date) if found.from_date else _("the first clip")),
        (_("To"), words.day(found.to_date) if found.to_date else _("the last clip")),
        (_("Time zone"), Markup.escape(words.time_zone)),
        (_("Clips by voice"), words.listed(Markup("{} {:,}").format(*each) for each in roles) or NOTHING),
        (_("Quality by"), _("{name}, version {version}", name=_(BALANCED.name), version=BALANCED.version)),
    ]
    parts: list[Part] = []
    if model:
        calibration = words.calibration(model.calibration)
        facts += [
            (_("Model"), words.name(model.name)),
            (_("Revision"), Markup("<code>{}</code>").format(model.revision)),
            (_("Calibration"), _("{name}, version {version}", name=calibration, version=model.calibration_version)),
        ]
        warned = caution(model.name)
        parts += [Text(words.explain(warned))] if warned else []
    told = _(
        "Means are made of customers' and mixed voices only. Inferring the emotions of employees at work is prohibited "
        "in the EU (AI Act, Article 5(1)(f)): an agent's own voice is for that agent's coaching and not in this report."
    )
    return [Facts(facts), *parts, Text(told)]
