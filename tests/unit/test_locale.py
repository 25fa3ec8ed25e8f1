"""The Chinese catalogue is complete, true to its fields, and compiled."""

from __future__ import annotations

import io
import re
import string
import tomllib
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from emostore import i18n
from emostore.emotions import BY_NAME
from emostore.errors import AudioError

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = i18n.LOCALE_DIR / "zh" / "LC_MESSAGES" / "emostore.po"
SAME_IN_BOTH = {"PNG", "SVG", "{name}", "{sounds}.", "{text}", "{value} ({source})"}  # what needs no translation


def keywords() -> dict[str, None]:
    """Gettext's own and those that `make messages` names."""
    extra = re.findall(r"-k (\w+)", (ROOT / "Makefile").read_text())
    return {**DEFAULT_KEYWORDS, **dict.fromkeys(extra)}


def extracted() -> set[str]:
    found = set()
    for folder in ("emostore", "pages"):
        for _, _, message, _, _ in extract_from_dir(ROOT / folder, keywords=keywords()):
            found.add(message)
    return {message for message in found if isinstance(message, str) and message}


@pytest.fixture(scope="module")
def chinese() -> Catalog:
    return read_po(io.BytesIO(CATALOGUE.read_bytes()), locale="zh", domain="emostore")


def fields(text: str) -> list[tuple[str, str]]:
    """Names and formats of the fields in a sentence."""
    return sorted((name, spec or "") for _, name, spec, _ in string.Formatter().parse(text) if name)


def test_every_sentence_has_its_chinese(chinese: Catalog) -> None:
    known = {str(entry.id): str(entry.string) for entry in chinese if entry.id and not entry.fuzzy}
    missing = [text for text in extracted() if not known.get(text) and text not in SAME_IN_BOTH]
    assert missing == []


def test_the_catalogue_holds_nothing_that_is_no_longer_said(chinese: Catalog) -> None:
    assert {str(entry.id) for entry in chinese if entry.id} - extracted() == set()


def test_a_translation_has_the_fields_of_its_sentence(chinese: Catalog) -> None:
    for entry in chinese:
        if entry.id:
            assert fields(str(entry.id)) == fields(str(entry.string)), entry.id


def test_chinese_sentences_are_chinese(chinese: Catalog) -> None:
    for entry in chinese:
        if entry.id and str(entry.id) not in SAME_IN_BOTH:
            assert re.search(r"[\u4e00-\u9fff]", str(entry.string)), entry.id


def test_babel_compiles_it_without_complaint(chinese: Catalog) -> None:
    # To Babel "95 % interval" holds a field of %-formatting, and a translation without one stops `make messages`.
    assert [(str(entry.id), list(map(str, errors))) for entry, errors in chinese.check()] == []


def test_the_compiled_catalogue_is_that_of_the_text(chinese: Catalog) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, chinese)
    assert CATALOGUE.with_suffix(".mo").read_bytes() == compiled.getvalue()


def test_an_error_reads_in_the_readers_language() -> None:
    error = AudioError("{name} is not a file. Choose a recording.", name="a.wav")
    assert i18n.explain(error, "en") == "a.wav is not a file. Choose a recording."
    assert re.search(r"a\.wav.*[\u4e00-\u9fff]", i18n.explain(error, "zh"))


def test_an_emotion_in_a_sentence_is_named_in_its_language() -> None:
    sentence = i18n.Sentence("{first}!", {"first": BY_NAME["angry"]})
    assert (i18n.explain(sentence, "en"), i18n.explain(sentence, "zh")) == ("angry!", "生气!")


def test_a_sentence_inside_a_sentence_is_translated_with_it() -> None:
    inner = AudioError("{name} is not a file. Choose a recording.", name="a.wav")
    assert re.fullmatch(r"[^a-z]*a\.wav[^a-z]*!", i18n.explain(i18n.Sentence("{why}!", {"why": inner}), "zh"))


@pytest.mark.parametrize(
    ("tag", "language"), [("zh-CN", "zh"), ("zh_TW", "zh"), ("en-GB", "en"), ("de", "en"), (None, "en"), ("", "en")]
)
def test_a_browsers_tag_chooses_a_language_we_speak(tag: str | None, language: str) -> None:
    assert i18n.choose(tag) == language


def test_the_extraction_settings_are_where_the_makefile_says() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["tool"]["babel"]["mappings"] == [{"method": "python", "pattern": "**.py"}]
