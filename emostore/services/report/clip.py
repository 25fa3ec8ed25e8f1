"""The report of a clip, from its first sentence to its fingerprint."""

from __future__ import annotations

from markupsafe import Markup

from emostore.analytics.insights import headline
from emostore.services.analysis import no_speech_sentence
from emostore.services.report import sections
from emostore.services.report.facts import ClipFacts
from emostore.services.report.parts import Document, Number, Section
from emostore.services.report.pictures import Pictures
from emostore.services.report.wording import Wording


def document(found: ClipFacts, words: Wording) -> Document:
    """Everything that is known of a clip, for one reader's language."""
    _, view, pictures = words.say, found.view, Pictures()
    written = [
        sections.distribution(found, words, pictures),
        sections.findings(found, words),
        Section(_("Alerts"), sections.alerts(found.alerts, words)) if found.scores else None,
    ]
    moving = sections.over_time(found, words, pictures)
    written += [Section(_("Over time"), moving)] if moving else []
    written += [sections.about(found, words), sections.measured(view.analyses[:1], words)]
    return Document(
        kind=_("Report of a clip"),
        title=words.name(view.file_name),
        plain_title=view.file_name,
        lead=lead(found, words),
        badges=badges(found, words),
        numbers=numbers(found, words),
        sections=[each for each in written if each is not None],
        closing=(),
    )


def lead(found: ClipFacts, words: Wording) -> Markup:
    """What the newest analysis found, or why it found nothing, in a sentence."""
    _, analysis = words.say, found.analysis
    if found.scores:
        return words.explain(headline(found.scores))
    if analysis is not None and analysis.no_speech_reason:
        return words.explain(no_speech_sentence(analysis.no_speech_reason))
    return _("This clip has not been analysed yet.")


def badges(found: ClipFacts, words: Wording) -> list[Markup]:
    """Whose voice it is, who says so, and what to keep in mind."""
    _, analysis = words.say, found.analysis
    said = [words.role(found.view.role)]
    if analysis is not None:
        said.append(words.name(f"{analysis.model} · {analysis.revision[:8]}"))
        said += [_("uncertain")] if found.uncertain else []
    return said + ([_("invented for the demo")] if found.view.demo else [])


def numbers(found: ClipFacts, words: Wording) -> list[Number]:
    """The figures that open the report."""
    _, scores, view = words.say, found.scores, found.view
    shown = []
    if scores:
        strongest = words.emotion(scores.dominant)
        strongest = _("uncertain ({emotion})", emotion=strongest) if found.uncertain else strongest
        shown.append(Number(_("Strongest emotion"), strongest, words.percent(scores.confidence)))
        if found.quality is not None:
            shown.append(Number(_("Quality"), Markup(f"{found.quality:.1f}"), _("of 100")))
        mixed = _("0: one certain emotion; 1: all nine alike")
        shown.append(Number(_("Entropy"), Markup(f"{scores.entropy:.2f}"), mixed))
        shown.append(Number(_("Alerts"), Markup(len(found.alerts))))
    spoken = _("{length} of speech", length=words.duration(view.speech_s)) if view.speech_s is not None else Markup()
    return [*shown, Number(_("Length"), words.duration(view.duration_s), spoken)]
