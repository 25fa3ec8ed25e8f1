"""Charts of a report: drawn once, in light, as SVG inside the page, which colours them for light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    import altair as alt

HALF_PX = 460  # width of a chart beside another
WHOLE_PX = 960  # width of one that has the page for itself


@dataclass(frozen=True, slots=True)
class Pictures:
    """Draws the charts of one page; names inside a drawing differ from those of the others."""

    _numbers: Iterator[int] = field(default_factory=count)

    def draw(self, chart: alt.TopLevelMixin, width: int = WHOLE_PX) -> Markup:
        """The chart as an `<svg>` of that many px, with its description as its accessible name."""
        from emostore import charts  # late: Altair takes half a second to import

        return Markup(charts.inline_svg(chart, f"c{next(self._numbers)}", width=width))


def inks() -> list[tuple[str, str]]:
    """Every colour of a chart's ink in light, and what it is in dark."""
    from emostore.charts.style import INK

    light, dark = INK["light"], INK["dark"]
    return [(getattr(light, name), getattr(dark, name)) for name in light.__slots__]
