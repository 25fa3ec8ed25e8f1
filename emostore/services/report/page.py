"""A report as one HTML file that needs nothing else: no script, no font, no image, nothing fetched."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from emostore import __version__
from emostore.services.report.parts import Document
from emostore.services.report.pictures import inks
from emostore.services.report.wording import Wording

ASSETS = Path(__file__).parents[2] / "assets"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_TAGS = {"en": "en", "zh": "zh-Hans"}


def html(document: Document, words: Wording, made_at: datetime) -> bytes:
    """The page, in UTF-8. `made_at` is aware."""
    _ = words.say
    text = (
        _environment()
        .get_template("report.html")
        .render(
            document=document,
            language=_TAGS[words.language],
            policy=POLICY,
            numbers_of_chart=_("Numbers of the chart"),
            legal=_(
                "Not legal advice. In the EU, inferring the emotions of employees at work is prohibited but for "
                "medical and safety reasons (AI Act, Article 5(1)(f)); an agent's own voice is shown to that agent, "
                "as coaching."
            ),
            meaning=_("Scores say how a voice sounds to a model. They do not say what a person feels."),
            made=_(
                "Made on {when} ({zone}) by Emostore {version}.",
                when=words.when(made_at),
                zone=Markup.escape(words.time_zone),
                version=Markup(__version__),
            ),
        )
    )
    return text.encode(errors="replace")  # a file's name may hold what is no character


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """Everything that is put into a template is escaped; what a template asks for must be there."""
    environment = Environment(
        loader=FileSystemLoader(ASSETS / "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["logo"] = _mark()
    environment.globals["inks"] = inks()
    return environment


def _mark() -> Markup:
    """The product's mark, as an ornament: the words beside it say what it would say."""
    drawn = (ASSETS / "logo.svg").read_text(encoding="utf-8")
    silent = re.sub(r'role="img" aria-label="[^"]*"', 'aria-hidden="true"', drawn)
    return Markup(re.sub(r"<title>.*?</title>", "", silent))
