"""Charts as images, with the packaged font, so that Chinese is drawn where no such font is installed."""

from __future__ import annotations

import base64
import html
import io
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import altair as alt
import vl_convert

from emostore.charts.style import EXPORT_FONT, INK, PACKAGED_FAMILY

Format = Literal["png", "svg"]
FONT_DIR = Path(__file__).parents[1] / "assets" / "fonts"
FONT_FILE = FONT_DIR / "EmostoreSansSC-Regular.otf"
WIDTH_PX = 800  # what "as wide as the page" means in an image
MARGIN_PX = 16  # around an image; on a page the layout leaves its own
# A name may hold them; an SVG may not, and vl-convert aborts the whole process over one.
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ID = re.compile(r'( id="|url\(#)(?=(?:clip|gradient_)\d)')
_VEGALITE = "6.4"  # the version that altair 6.3 writes; vl-convert carries several


def save(
    chart: alt.TopLevelMixin,
    format: Format,
    *,
    scale: float = 2,
    width: int = WIDTH_PX,
    background: str | None = None,
) -> bytes:
    """The chart as an image that needs nothing else: background, size and type are fixed in it.

    `width` replaces "container" (px before `scale`; an SVG is not scaled). The background is that of
    the chart's theme. In an SVG text stays text, and the glyphs it uses travel along as a small font.
    """
    spec = _fixed(_printable(chart.to_dict()), width, background)
    _register_font()
    if format == "png":
        return vl_convert.vegalite_to_png(spec, vl_version=_VEGALITE, scale=scale, allowed_base_urls=[])
    if format == "svg":
        svg = vl_convert.vegalite_to_svg(spec, vl_version=_VEGALITE, allowed_base_urls=[])
        return _complete(svg, spec.get("description", "")).encode()
    raise ValueError(f"Charts are saved as png or svg, not {format!r}.")


def inline_svg(chart: alt.TopLevelMixin, key: str, *, width: int = WIDTH_PX) -> str:
    """The chart as an `<svg>` to stand inside an HTML page, which gives it its type and its ground.

    It has no font of its own and no style that would reach the page. The names inside it begin with `key`, so that
    several charts on one page do not draw with each other's parts.
    """
    spec = _fixed(_printable(chart.to_dict()), width, "transparent")
    _register_font()
    svg = vl_convert.vegalite_to_svg(spec, vl_version=_VEGALITE, allowed_base_urls=[])
    own = _ID.sub(lambda found: f"{found[1]}{key}-", svg)
    return _named(own, spec.get("description", ""))


def _fixed(spec: dict[str, Any], width: int, background: str | None) -> dict[str, Any]:
    mode = spec.get("usermeta", {}).get("theme", "light")
    fixed = spec | {"background": background or INK[mode].background}
    if fixed.get("width") == "container":
        fixed["width"] = width
    config = fixed.get("config", {})
    # The packaged font has one weight, and a browser that makes a bolder one up smears it.
    title = config.get("title", {}) | {"fontWeight": 400, "fontSize": 16}
    fixed["config"] = config | {"font": EXPORT_FONT, "title": title}
    fixed["padding"] = MARGIN_PX
    return fixed


def _printable(part: Any) -> Any:
    if isinstance(part, str):
        return _NOT_IN_XML.sub("", part)
    if isinstance(part, dict):
        return {key: _printable(value) for key, value in part.items()}
    return [_printable(value) for value in part] if isinstance(part, list) else part


@lru_cache
def _register_font() -> None:
    vl_convert.register_font_directory(str(FONT_DIR))


def _complete(svg: str, description: str) -> str:
    """The SVG with what it is, for a screen reader, and with the glyphs of its own text.

    Those are a few kB instead of the font's 2.6 MB; a program that ignores embedded fonts finds the
    families of a page, and a generic one at last, in the attributes of the text.
    """
    text = html.unescape("".join(re.findall(r"<text[^>]*>([^<]*)<", svg)))
    font = base64.b64encode(_glyphs(text)).decode()
    face = f"@font-face{{font-family:'{PACKAGED_FAMILY}';src:url(data:font/woff;base64,{font}) format('woff')}}"
    return _named(svg, description, f"<style>{face}</style>")


def _named(svg: str, description: str, more: str = "") -> str:
    label = html.escape(description)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1).replace(
        ">", f"><title>{label}</title>{more}", 1
    )


def _glyphs(text: str) -> bytes:
    # Imported here: only a saved SVG needs it, and pages start faster without it.
    from fontTools import subset  # type: ignore[import-untyped]

    options = subset.Options(flavor="woff", hinting=False, notdef_outline=True, name_IDs=[0, 1, 2, 7, 13, 14])
    font = subset.load_font(str(FONT_FILE), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=text)
    subsetter.subset(font)
    buffer = io.BytesIO()
    subset.save_font(font, buffer, options)
    return buffer.getvalue()
