"""The sections that tell of one clip; the report of a clip has all of them, that of a session some for each clip."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from emostore.analytics.quality import BALANCED
from emostore.analytics.trajectory import Trajectory
from emostore.emotions import EMOTIONS
from emostore.engine.figures import caution
from emostore.services.calibration.masked import Masked
from emostore.services.report import course
from emostore.services.report.facts import ClipFacts
from emostore.services.report.parts import Facts, Figure, Findings, Heading, Part, Section, Side, Table, Text
from emostore.services.report.pictures import HALF_PX, Pictures
from emostore.services.report.wording import Wording
from emostore.services.views import watching
from emostore.store.reports.report_views import AlertView
from emostore.store.reports.views import AnalysisView

if TYPE_CHECKING:
    import altair as alt

RADAR_PX = 400


def distribution(found: ClipFacts, words: Wording, pictures: Pictures) -> Section | None:
    """The nine scores as bars and as a radar chart, with the table; None without scores."""
    from emostore import charts  # late: Altair takes half a second to import

    _ = words.say
    analysis, scores = found.analysis, found.scores
    if analysis is None or scores is None:
        return None
    lang, missing = words.language, analysis.missing
    bars = charts.bar_chart(scores, lang=lang, missing=missing)
    sample = found.view.file_name
    radar = charts.radar_chart({sample: scores}, lang=lang, size=RADAR_PX, missing={sample: missing})
    table = score_table(_("The nine scores"), {Markup(_("Score")): scores}, words, {Markup(_("Score")): missing})
    parts: list[Part] = [
        Side(
            [
                Figure(_("The nine scores, each from 0 to 1"), pictures.draw(bars, HALF_PX), table),
                Figure(_("The same as a radar chart"), pictures.draw(radar, HALF_PX)),
            ]
        ),
        *not_produced(analysis.model, found.masked, words),
    ]
    return Section(_("Distribution"), parts)


def findings(found: ClipFacts, words: Wording) -> Section | None:
    """What an expert reads in the scores, the service quality last; None without scores."""
    _ = words.say
    if found.scores is None:
        return None
    rows = [(each.severity, words.explain(each.sentence)) for each in found.insights]
    scenario = words.scenario(found.view.scenario or "general")
    parts: list[Part] = [Findings(rows, grades(words)), Text(_("Read as: {scenario}.", scenario=scenario), quiet=True)]
    if found.quality is not None:
        said = _("Service quality {quality:.1f}. {range}", quality=found.quality, range=BALANCED.landmarks())
        by = _("By the profile {profile}, version {version}.", profile=_(BALANCED.name), version=BALANCED.version)
        parts.insert(1, Text(said + " " + by))
    else:
        parts.insert(1, Text(_("This is an agent's own voice: it is for coaching, and gets no service quality.")))
    return Section(_("What an expert reads in it"), parts)


def grades(words: Wording) -> dict[str, Markup]:
    """What the marks in front of findings mean."""
    _ = words.say
    return {"good": _("Good"), "info": _("Note"), "notice": _("Look at this"), "warning": _("Warning")}


def alerts(rows: Sequence[AlertView], words: Wording, *, of_clip: bool = True) -> list[Part]:
    """The alerts as a table, or that there is none; with their files unless they are all `of_clip`."""
    _ = words.say
    if not rows:
        return [Text(_("No alert was raised."))]
    heads = [_("Severity"), _("What was found"), _("Moment"), _("State"), _("Looked after by")]
    if not of_clip:
        heads = [_("Happened"), _("File"), *heads]
    return [Table(_("Alerts"), heads, [_alert(row, words, of_clip) for row in rows])]


def over_time(
    found: ClipFacts, words: Wording, pictures: Pictures, *, until_s: float | None = None, after_s: float = 0.0
) -> list[Part]:
    """The course of the nine scores as a picture, in words and with its moments; nothing for one window or none.

    Of a call the axis ends at `until_s`, and the clip begins at `after_s` of it.
    """
    _, path = words.say, found.trajectory
    chart = course_chart(found, words.language, until_s=until_s, after_s=after_s)
    if path is None or chart is None:
        return []
    drawn, moments = course.stretches(path), course.moments(path)
    said = [words.explain(each) for each in course.sentences(path)]
    parts: list[Part] = [Text(Markup(" ").join(said))] if said else []
    parts.append(Figure(_precision(path, words), pictures.draw(chart), _course(drawn, after_s, words), wide=True))
    if moments:
        heads = [_("Mark"), _("Moment"), _("What happens")]
        rows = [
            [Markup(number), _span(each.start_s, each.end_s, words, after_s), words.explain(each.said)]
            for number, each in enumerate(moments, 1)
        ]
        parts.append(Table(_("Moments that are worth hearing"), heads, rows))
    if found.voice.left_out is not None:
        parts.append(Text(words.explain(found.voice.left_out), quiet=True))
    return parts


def course_chart(
    found: ClipFacts, lang: str, *, until_s: float | None = None, after_s: float = 0.0, title: str | None = None
) -> alt.LayerChart | None:
    """The picture of `over_time`, its moments numbered; None for one window or none."""
    from emostore import charts  # late: Altair takes half a second to import

    path = found.trajectory
    drawn = course.stretches(path) if path is not None and len(path) > 1 else ()
    if path is None or not drawn:
        return None
    return charts.course_chart(
        [charts.Stretch(each.start_s + after_s, each.end_s + after_s, _nine(each.scores)) for each in drawn],
        length_s=until_s or found.view.duration_s,
        lang=lang,
        missing=found.analysis.missing if found.analysis else (),
        marks=[charts.Mark(each.start_s + after_s, str(n)) for n, each in enumerate(course.moments(path), 1)],
        title=title,
    )


def about(found: ClipFacts, words: Wording) -> Section:
    """What is known about the clip, and what was lost in reading it."""
    _, view = words.say, found.view
    source = {
        "given": Markup(),
        "name": _("from the file's name"),
        "metadata": _("from the file"),
        "upload": _("a guess: the time of the upload"),
    }[view.happened_at_source]
    nothing = Markup("—")
    rows = [
        (_("File"), words.name(view.file_name)),
        (_("Agent"), words.name(view.agent) if view.agent else nothing),
        (_("Team"), words.name(view.team) if view.team else nothing),
        (_("Session"), words.name(view.session_name)),
        (_("Voice"), words.role(view.role)),
        (_("What it is"), words.scenario(view.scenario) if view.scenario else nothing),
        (_("Recorded by"), words.domain(view.domain) if view.domain else nothing),
        (_("Language spoken"), words.name(view.language) if view.language else nothing),
        (_("Happened"), words.when(view.happened_at) + (Markup(" ({})").format(source) if source else "")),
        (_("Length"), words.duration(view.duration_s)),
        (_("Speech"), words.duration(view.speech_s) if view.speech_s is not None else nothing),
        (_("Channel"), Markup(f"{view.channel + 1} / {view.channel_count}")),
        (_("Format"), Markup("{} · {:,} Hz").format(view.codec, view.sample_rate)),
        (_("Fingerprint (SHA-256)"), Markup("<code>{}</code>").format(view.sha256)),
    ]
    parts: list[Part] = [Facts(rows)]
    if view.notes:
        parts += [Heading(_("Notes on the recording"))]
        parts += [Findings([("notice", words.explain(note)) for note in view.notes], grades(words))]
    return Section(_("About the recording"), parts)


def measured(analyses: Sequence[AnalysisView], words: Wording) -> Section:
    """Which models said this, and how far they may be trusted; the first analysis is the one that is reported."""
    _ = words.say
    parts: list[Part] = []
    models = {(each.model, each.revision, each.calibration, each.calibration_version): each for each in analyses}
    for each in models.values():
        produced = [words.emotion(name) for name in each.classes]
        parts.append(
            Facts(
                [
                    (_("Model"), words.name(each.model)),
                    (_("Revision"), Markup("<code>{}</code>").format(each.revision)),
                    (_("Licence"), words.name(each.licence)),
                    (
                        _("Calibration"),
                        _(
                            "{name}, version {version}",
                            name=words.calibration(each.calibration),
                            version=each.calibration_version,
                        ),
                    ),
                    (_("Emotions that it can give"), words.listed(produced)),
                    (_("Analysed"), words.when(each.analysed_at)),
                ]
            )
        )
        found = caution(each.model)
        parts += [Text(words.explain(found))] if found else []
    return Section(_("How this was measured"), parts)


def score_table(
    caption: Markup,
    columns: Mapping[Markup, Mapping[str, float]],
    words: Wording,
    missing: Mapping[Markup, Collection[str]] | None = None,
) -> Table:
    """The nine emotions, a column for each distribution, to three decimals."""
    _, absent = words.say, missing or {}
    rows = [
        [
            words.emotion(name),
            *(
                _("not produced") if name in absent.get(head, ()) else Markup(f"{scores[name]:.3f}")
                for head, scores in columns.items()
            ),
        ]
        for name in EMOTIONS
    ]
    return Table(caption, [_("Emotion"), *columns], rows, numbers=len(columns))


def not_produced(model: str, absent: Masked, words: Wording) -> list[Part]:
    """Which emotions a model cannot give, by its own word or by what was seen of it, if there are such."""
    _, said = words.say, []
    if absent.declared:
        names = words.listed(map(words.emotion, absent.declared))
        said.append(_("{model} cannot give {names}. They are not measured, not zero.", model=model, names=names))
    if absent.seen:
        names = words.listed(map(words.emotion, absent.seen))
        said.append(
            _(
                "{model} says that it can give {names}, but gave exactly 0 in each of its latest {count} clips. Take "
                "them as not measured.",
                model=model,
                names=names,
                count=Markup(f"{absent.clips:,}"),
            )
        )
    if absent.untaught:
        names = words.listed(map(words.emotion, absent.untaught))
        said.append(_("The trained head in use was not taught {names}. Take them as not measured.", names=names))
    return [Text(Markup(" ").join(said), quiet=True)] if said else []


def _alert(row: AlertView, words: Wording, of_clip: bool) -> list[Markup]:
    _ = words.say
    sentence = watching.sentence(row)
    said = words.explain(sentence) if sentence else words.name(row.rule) + f": {row.value:.3f} / {row.threshold:.3f}"
    moment = _("the whole recording") if row.start_s is None else _span(row.start_s, row.end_s, words)
    known = [
        words.severity(row.severity),
        said,
        moment,
        words.state(row.state),
        words.name(row.assignee) if row.assignee else Markup("—"),
    ]
    return known if of_clip else [words.when(row.happened_at), words.name(row.file_name), *known]


def _precision(path: Trajectory, words: Wording) -> Markup:
    _ = words.say
    together = course.windows_together(path)
    if together == 1:
        return _("The nine scores over time, a column for every window")
    return _(
        "The nine scores over time: {count:,} windows, a column the mean of {seconds:g} s",
        count=len(path),
        seconds=together * path.hop_s,
    )


def _course(drawn: Sequence[course.Stretch], after_s: float, words: Wording) -> Table:
    _ = words.say
    rows = [[words.at(each.start_s + after_s), *(Markup(f"{value:.3f}") for value in each.scores)] for each in drawn]
    heads = [_("Moment"), *(words.emotion(name) for name in EMOTIONS)]
    return Table(_("The nine scores over time"), heads, rows, numbers=len(EMOTIONS))


def _span(start_s: float, end_s: float | None, words: Wording, after_s: float = 0.0) -> Markup:
    start = words.at(start_s + after_s)
    return start if end_s is None else Markup("{} – {}").format(start, words.at(end_s + after_s))


def _nine(scores: Sequence[float]) -> dict[str, float]:
    return {name: min(1.0, value) for name, value in zip(EMOTIONS, scores, strict=True)}
