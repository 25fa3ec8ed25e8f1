"""How things stand, for the first page: today against the last weeks, the mix of emotions, who moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from emostore.analytics.over_time import Change, Estimate, changes
from emostore.services.views.agent_profile import quality_of, stacked
from emostore.store.reports import agent_reports, overview, reports
from emostore.store.reports.report_views import ModelInUse, Mover, Overview, SeriesPoint
from emostore.store.session import Store

DAYS = 28  # that today is compared with
MOVERS = 5
HEARD_ROLES = ("customer", "mixed", "unknown")  # agents' own voices are for coaching, not for reports


@dataclass(frozen=True, slots=True)
class Standing:
    """The day `today` and the `DAYS` before it. Days without clips are left out, the oldest comes first.

    `volume` counts all voices, `days` those of `HEARD_ROLES`, as all that follows. `is_today` is false where nothing
    happened lately, and the last day with clips stands for today. `quality` is today's, `usual_quality` that of the
    days before; None without clips.
    """

    model: ModelInUse | None
    today: date
    is_today: bool
    volume: tuple[SeriesPoint, ...]
    days: tuple[SeriesPoint, ...]
    quality: Estimate | None
    usual_quality: Estimate | None
    open_alerts: Mapping[str, int]
    movers: tuple[tuple[Mover, Change], ...]

    @property
    def first(self) -> date:
        """The first of the days before today."""
        return self.today - timedelta(DAYS)

    @property
    def usual_clips(self) -> float:
        """Clips a day, over the days before today."""
        return sum(point.totals.clips for point in self.volume if point.first_day < self.today) / DAYS


def load(store: Store, time_zone: str, today: date | None = None) -> Standing:
    """How things stand on a day, by default this one in `time_zone`, by the model of the newest analysis."""
    today = today or datetime.now(UTC).astimezone(ZoneInfo(time_zone)).date()
    view, days = _around(store, today)
    is_today = bool(view.days) or view.model is None
    if not is_today and (newest := reports.latest_clips(store, 1).rows):
        today = newest[0].happened_at.astimezone(ZoneInfo(time_zone)).date()
        view, days = _around(store, today)
    quality = usual = None
    now = next((point.totals.moments for point in days if point.first_day == today), None)
    before = agent_reports.added(tuple(point for point in days if point.first_day < today)).moments
    if now and before.clips:  # together, so that a day of few sessions borrows how much they vary
        quality, usual = quality_of([now, before])
    elif now:
        (quality,) = quality_of([now])
    elif before.clips:
        (usual,) = quality_of([before])
    moved = changes(stacked([each.before for each in view.movers]), stacked([each.now for each in view.movers]))
    return Standing(
        model=view.model,
        today=today,
        is_today=is_today,
        volume=view.days,
        days=days,
        quality=quality,
        usual_quality=usual,
        open_alerts=view.open_alerts,
        movers=tuple((view.movers[change.index], change) for change in moved[:MOVERS]),
    )


def _around(store: Store, today: date) -> tuple[Overview, tuple[SeriesPoint, ...]]:
    view = overview.overview(store, today, days=DAYS + 1)
    if view.model is None or not view.days:
        return view, ()
    model = (view.model.name, view.model.revision)
    first = today - timedelta(DAYS)
    return view, agent_reports.series(store, model=model, from_date=first, to_date=today, roles=HEARD_ROLES)
