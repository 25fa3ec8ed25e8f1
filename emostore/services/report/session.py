"""The report of a session: every recording with its sides beside each other."""

from __future__ import annotations

from markupsafe import Markup

from emostore.analytics.talk import Talk
from emostore.emotions import EMOTIONS
from emostore.i18n import Explained
from emostore.services.report import clip, sections
from emostore.services.report.facts import Call, ClipFacts, SessionFacts
from emostore.services.report.parts import Document, Figure, Findings, Heading, Number, Part, Section, Side, Table, Text
from emostore.services.report.pictures import HALF_PX, Pictures
from emostore.services.report.wording import Wording
from emostore.services.views import session_view
from emostore.store.reports.views import AnalysisView

RADAR_PX = 400


def document(found: SessionFacts, words: Wording) -> Document:
    """Everything that is known of a session, for one reader's language."""
    _, pictures, clips = words.say, Pictures(), found.clips
    written = [Section(_("All voices"), [*_every(found, words), *_more(found, words)])]
    for number, call in enumerate(found.calls, 1):
        title = words.name(call.clips[0].view.file_name)
        if len(found.calls) > 1:
            title = Markup("{} · {}").format(number, title)
        written.append(Section(title, _call(call, words, pictures)))
    alerts = sorted((row for each in clips for row in each.alerts), key=lambda row: (row.happened_at, row.alert_id))
    written.append(Section(_("Alerts"), sections.alerts(alerts, words, of_clip=False)))
    written.append(sections.measured(_analyses(clips), words))
    return Document(
        kind=_("Report of a session"),
        title=words.name(found.name),
        plain_title=found.name,
        lead=_lead(found, words),
        badges=_badges(clips, words),
        numbers=_numbers(found, words, len(alerts)),
        sections=written,
        closing=(),
    )


def _lead(found: SessionFacts, words: Wording) -> Markup:
    """How the voices sound that are asked about first, at most two."""
    alone = len(found.clips) == 1
    voices = session_view.by_interest(each.voice for each in found.clips)[:2]
    said = [words.explain(each) for each in (session_view.opening(voice, alone) for voice in voices) if each]
    if said:
        return Markup(" ").join(said)
    _ = words.say
    return _("This session holds nothing that was analysed.")


def _badges(clips: tuple[ClipFacts, ...], words: Wording) -> list[Markup]:
    seen: dict[Markup, None] = {}
    for each in clips:
        seen |= dict.fromkeys(clip.badges(each, words))
    return list(seen)


def _numbers(found: SessionFacts, words: Wording, alerts: int) -> list[Number]:
    _ = words.say
    clips = found.clips
    spoken = [each.view.speech_s for each in clips if each.view.speech_s is not None]
    qualities = [each for each in clips if each.quality is not None]
    numbers = [
        Number(_("Recordings"), Markup(f"{found.count:,}")),
        Number(_("Voices"), Markup(len(clips))),
        Number(_("Speech"), words.duration(sum(spoken))),
        Number(_("Alerts"), Markup(alerts)),
    ]
    if len(qualities) == 1:  # of several voices no one number is told: their table has each
        numbers.insert(
            0, Number(_("Quality"), Markup(f"{qualities[0].quality:.1f}"), words.role(qualities[0].view.role))
        )
    return numbers


def _every(found: SessionFacts, words: Wording) -> list[Part]:
    """A row for every voice with its nine scores, and which of them its model cannot give."""
    _ = words.say
    heads = [
        _("Happened"),
        _("Voice"),
        _("Agent"),
        _("Length"),
        _("Quality"),
        *(words.emotion(name) for name in EMOTIONS),
    ]
    nothing = Markup("—")
    rows = []
    for each in found.clips:
        scores, analysis, view = each.scores, each.analysis, each.view
        missing = analysis.missing if analysis else ()
        values = [nothing if scores is None or name in missing else Markup(f"{scores[name]:.3f}") for name in EMOTIONS]
        quality = nothing if each.quality is None else Markup(f"{each.quality:.1f}")
        agent = words.name(view.agent) if view.agent else nothing
        known = [words.when(view.happened_at), words.role(view.role), agent, words.duration(view.duration_s)]
        rows.append([*known, quality, *values])
    models = {each.analysis.model: each.masked for each in found.clips if each.analysis}
    absent = [part for model, seen in models.items() for part in sections.not_produced(model, seen, words)]
    return [Table(_("The nine scores of every voice"), heads, rows, numbers=len(EMOTIONS) + 2), *absent]


def _more(found: SessionFacts, words: Wording) -> list[Part]:
    """That there are more recordings than this report tells of."""
    _ = words.say
    if found.count <= found.shown:
        return []
    told = _(
        "This session has {count:,} recordings; the first {shown} are told of.", count=found.count, shown=found.shown
    )
    return [Text(told)]


def _call(call: Call, words: Wording, pictures: Pictures) -> list[Part]:
    """One call: its sides on one radar chart and beside each other, who talks when, and each side over time."""
    from emostore import charts  # late: Altair takes half a second to import

    _, heard = words.say, [each for each in call.clips if each.scores]
    parts: list[Part] = []
    names = {id(each): _who(each, call, words) for each in call.clips}
    samples = {str(names[id(each)].striptags()): each.scores for each in heard[: charts.MAX_SAMPLES] if each.scores}
    missing = {
        str(names[id(each)].striptags()): each.analysis.missing for each in heard[: charts.MAX_SAMPLES] if each.analysis
    }
    if samples:
        radar = charts.radar_chart(samples, lang=words.language, size=RADAR_PX, missing=missing)
        columns = {Markup.escape(name): scores for name, scores in samples.items()}
        table = sections.score_table(
            _("The nine scores"), columns, words, {Markup.escape(name): absent for name, absent in missing.items()}
        )
        figure = Figure(
            _("All sides on one radar chart") if len(samples) > 1 else _("The same as a radar chart"),
            pictures.draw(radar, HALF_PX),
            table,
        )
        bars = [
            Figure(
                names[id(each)],
                pictures.draw(
                    charts.bar_chart(each.scores, lang=words.language, missing=each.analysis.missing), HALF_PX
                ),
            )
            for each in heard
            if each.scores and each.analysis
        ]
        parts.append(Side([*bars, figure]))
    if call.conversation.talk is not None and len(call.clips) > 1:
        parts += _talk(call.conversation.talk, call, words)
    until_s = max(each.view.starts_s + each.view.duration_s for each in call.clips)
    for each in call.clips:
        parts.append(Heading(names[id(each)]))
        said = session_view.opening(each.voice, alone=len(call.clips) == 1)
        parts.append(Text(words.explain(said) if said else clip.lead(each, words)))
        if each.insights:
            rows = [(one.severity, words.explain(one.sentence)) for one in each.insights]
            parts.append(Findings(rows, sections.grades(words)))
        parts += sections.over_time(each, words, pictures, until_s=until_s, after_s=each.view.starts_s)
        parts += [Text(words.explain(note), quiet=True) for note in _notes(each)]
    return parts


def _who(each: ClipFacts, call: Call, words: Wording) -> Markup:
    """Whose voice it is, with the channel where several have the same role."""
    alike = [other for other in call.clips if other.view.role == each.view.role]
    if len(alike) == 1:
        return words.role(each.view.role)
    _ = words.say
    return _("{role}, channel {channel}", role=words.role(each.view.role), channel=each.view.channel + 1)


def _talk(talk: Talk, call: Call, words: Wording) -> list[Part]:
    """Who talks how much, who waits and who cuts in."""
    _ = words.say
    nothing = Markup("—")
    by_clip = {voice.view.clip_id: side for voice, side in zip(call.conversation.voices, talk.sides, strict=True)}
    heads = [
        _("Voice"),
        _("Talks"),
        _("Share"),
        _("Turns"),
        _("Longest turn"),
        _("Median wait before an answer"),
        _("Longest wait"),
        _("Interruptions"),
    ]
    rows = []
    for each in call.clips:
        side = by_clip[each.view.clip_id]
        rows.append(
            [
                _who(each, call, words),
                words.duration(side.talk_s),
                words.percent(side.share, 0),
                Markup(side.turns),
                words.duration(side.monologue_s),
                nothing if side.gap_s is None else words.duration(side.gap_s),
                nothing if side.slowest_s is None else words.duration(side.slowest_s),
                Markup(side.interruptions),
            ]
        )
    said = _(
        "Of {length}, somebody talks for {speech}, both at once for {overlap}; {silence} are silence.",
        length=words.duration(talk.length_s),
        speech=words.duration(talk.speech_s),
        overlap=words.duration(talk.overlap_s),
        silence=words.duration(talk.silence_s),
    )
    return [
        Heading(_("Who talks when")),
        Text(said),
        Table(_("How much each side talks"), heads, rows, numbers=len(heads) - 1),
    ]


def _notes(each: ClipFacts) -> tuple[Explained, ...]:
    return each.view.notes


def _analyses(clips: tuple[ClipFacts, ...]) -> list[AnalysisView]:
    return [each.analysis for each in clips if each.analysis is not None]
