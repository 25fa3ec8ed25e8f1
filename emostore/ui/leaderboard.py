"""The ranking of agents: its filters in the URL, its bars, its table, and how it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from emostore import access
from emostore.analytics.quality import ScoringProfile
from emostore.analytics.ranking import LEAST_SESSIONS, method_sentences
from emostore.services.views import history_address, ranking
from emostore.services.views.ranking import Board, Place
from emostore.store.reports import history
from emostore.store.reports.history import HistoryFilter
from emostore.ui import images, links, masked, urls
from emostore.ui.bootstrap import open_store
from emostore.ui.history import history_filters, report_filters
from emostore.ui.scores import theme
from emostore.ui.settings import scoring
from emostore.ui.text import _, explain, plain

if TYPE_CHECKING:
    import altair as alt

    from emostore import charts

PAGE_ROWS = 25
_ROW_PX = 35


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the URL asks for. Days without an end are those of the clips."""

    profile: ScoringProfile
    model: tuple[str, str] | None
    team: str | None
    first: date | None
    last: date | None
    voices: str

    def address(self, **more: str) -> dict[str, str]:
        """The address of the clips on the History page that are meant; `more` narrows them further."""
        wanted = HistoryFilter(team=self.team, from_date=self.first, to_date=self.last, model=self.model)
        return history_address.write(wanted) | more


def filters() -> Wanted | None:
    """Draw the filters; None if they contradict each other, or ask for what nobody may see, which is then said."""
    report_filters.strangers({"voice": ranking.VOICES})
    asked = history_filters.asked()
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        history_filters.days(asked)
        history_filters.choice("team", _("Team"), history.options(open_store()).teams, asked.wanted.team)
        model = report_filters.model(asked)
        voices = st.selectbox(
            _("Whose voice"),
            list(ranking.VOICES),
            format_func=_voices,
            width=160,
            **urls.bound("voice", list(ranking.VOICES), "customer"),
        )
        profile = scoring.choose()
        scoring.editor(profile)
    report_filters.several_models()
    if voices != "customer" and not access.can("rank_agents"):
        st.warning(
            _(
                "Agents are not ranked by their own voices. In the EU, inferring the emotions of employees at work is "
                "prohibited but for medical and safety reasons (AI Act, Article 5(1)(f)); an agent's own voice is "
                "shown to that agent, as coaching. What is ranked here is how customers sound."
            ),
            icon=":material/gavel:",
        )
        return None
    if asked.inverted:
        return None
    found = asked.wanted
    return Wanted(profile, model, found.team, found.from_date, found.to_date, voices or "customer")


def standings(wanted: Wanted) -> None:
    """The ranking that was asked for."""
    found = ranking.board(
        open_store(),
        wanted.profile,
        voices=wanted.voices,
        model=wanted.model,
        team=wanted.team,
        from_date=wanted.first,
        to_date=wanted.last,
    )
    _unknown(found, wanted)
    if not found.places:
        _nothing(found)
        return
    _summary(found)
    pages = -(-len(found.places) // PAGE_ROWS)
    place = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    shown = found.places[(place - 1) * PAGE_ROWS : place * PAGE_ROWS]
    st.altair_chart(_chart(found, shown, theme()), theme=None, key="ranking")
    with st.container(horizontal=True):
        images.downloads(partial(_chart, found, shown, "light"), "leaderboard", "ranking")
        st.download_button(
            "CSV",
            data=partial(ranking.as_csv, found),
            file_name="leaderboard.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="csv",
            help=_("All agents, not only this page."),
        )
    _table(found, shown, wanted)


def method(profile: ScoringProfile) -> None:
    """How the ranking is made, in plain words."""
    with st.expander(_("How this ranking is made"), icon=":material/function:", key="method"):
        for sentence in method_sentences():
            st.markdown(f"- {explain(sentence)}")
        st.markdown(
            "- "
            + _("Quality by “{profile}”:", profile=plain(scoring.label(profile)))
            + " "
            + explain(profile.landmarks())
        )
        st.markdown(
            "- "
            + _(
                "Ranked is how customers sound, also in recordings of both voices at once, which the table counts. "
                "Clips whose voice nobody knows are in nobody's rank."
            )
        )


def _summary(found: Board) -> None:
    without = len(found.places) - found.ranked
    parts = [_("Agents ranked: {count}", count=f"{found.ranked:,}")]
    if without:
        parts.append(_("with fewer than {least} sessions: {count}", count=f"{without:,}", least=LEAST_SESSIONS))
    if found.mean is not None:
        parts.append(_("mean quality of all clips {mean:.1f}", mean=found.mean))
    if found.model is not None:
        parts.append(f"{found.model.name} · {found.model.revision[:8]}")
    if any(place.row.demo for place in found.places):
        parts.append(_("among them invented demo agents"))
    st.caption(" · ".join(parts))
    if found.model is not None:
        masked.note(found.model.name, found.model.revision)


def _unknown(found: Board, wanted: Wanted) -> None:
    if not found.unknown:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="unknown"):
        st.info(
            _(
                "Clips in nobody's rank, because nobody said whose voice they hold: {count}.",
                count=f"{found.unknown:,}",
            ),
            icon=":material/help:",
        )
        st.page_link(
            links.HISTORY_PAGE,
            label=_("Say whose they are"),
            icon=":material/edit:",
            query_params=wanted.address(role="unknown"),
        )


def _nothing(found: Board) -> None:
    if found.model is None:
        st.info(_("Nothing has been analysed yet. Upload a recording to begin."), icon=":material/upload_file:")
        st.page_link(links.UPLOAD_PAGE, label=_("Upload a recording"), icon=":material/upload_file:")
    else:
        st.info(
            _("No agent has a call with a customer's voice in these days. Choose more days, or another team."),
            icon=":material/filter_alt_off:",
        )


def _chart(found: Board, shown: Sequence[Place], mode: charts.Theme) -> alt.LayerChart:
    from emostore import charts  # late, as in `ui.scores`

    rows = [
        charts.Interval(
            name=_place_name(place),
            value=place.standing.estimate,
            low=place.standing.low,
            high=place.standing.high,
            label=f"{place.standing.estimate:.1f}",
            band=place.standing.group,
            tone="plain" if place.standing.rank else "muted",
            notes=(
                (_("Quality"), f"{place.standing.estimate:.1f}"),
                (_("Interval (95 %)"), _interval(place)),
                (_("Clips"), f"{place.row.clips:,}"),
                (_("Group"), _group(place)),
            ),
        )
        for place in shown
    ]
    description = _(
        "Agents from rank to rank with their quality and its interval; {first} leads this page", first=rows[0].name
    )
    every = [edge for place in found.places for edge in (place.standing.low, place.standing.high) if edge is not None]
    every += [place.standing.estimate for place in found.places]
    return charts.interval_chart(
        rows,
        description=description,
        theme=mode,
        domain=charts.axis_around(every),
        reference=found.mean,
    )


def _table(found: Board, shown: Sequence[Place], wanted: Wanted) -> None:
    days, trends = ranking.trends(
        open_store(),
        shown,
        found.profile,
        voices=wanted.voices,
        model=wanted.model,
        from_date=wanted.first,
        to_date=wanted.last,
    )
    span = {1: _("day"), 7: _("week"), 28: _("four weeks")}[days]
    event = st.dataframe(
        [_row(place, trend) for place, trend in zip(shown, trends, strict=True)],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="places",
        height=(len(shown) + 1) * _ROW_PX + 3,
        column_config={
            _("Rank"): st.column_config.NumberColumn(width=50, pinned=True),
            _("Agent"): st.column_config.TextColumn(width=150, pinned=True),
            _("Quality"): st.column_config.NumberColumn(format="%.1f"),
            _("As measured"): st.column_config.NumberColumn(
                format="%.1f", help=_("The plain mean, before it is moved toward the team's.")
            ),
            _("Trend"): st.column_config.LineChartColumn(
                help=_("Quality as measured; a point for each {span} with calls.", span=span)
            ),
            _("Group"): st.column_config.TextColumn(
                help=_("Agents in one group cannot be told apart from the first of it.")
            ),
        },
        placeholder="–",
        alt=_("Agents in the order of their rank. Select a row to see the agent's clips."),
    )
    chosen = event.selection.rows
    if chosen:
        agent = shown[chosen[0]].row.agent
        st.switch_page(links.HISTORY_PAGE, query_params=wanted.address(agent=agent))


def _row(place: Place, trend: Sequence[float]) -> dict[str, object]:
    standing, row = place.standing, place.row
    return {
        _("Rank"): standing.rank,
        _("Agent"): row.agent,
        _("Team"): row.team or "",
        _("Quality"): standing.estimate,
        _("Interval (95 %)"): _interval(place),
        _("Rank could be"): f"{standing.rank_from} – {standing.rank_to}" if standing.rank else "",
        _("Group"): _group(place),
        _("Trend"): list(trend),
        _("Clips"): row.clips,
        _("of both voices"): row.mixed,
        _("Sessions"): standing.sample.sessions,
        _("As measured"): place.mean,
        _("Alerts"): row.alerts,
    }


def _place_name(place: Place) -> str:
    rank = f"{place.standing.rank}. " if place.standing.rank else ""
    return rank + " ".join(place.row.agent.split())


def _interval(place: Place) -> str:
    standing = place.standing
    return (
        f"{standing.low:.1f} – {standing.high:.1f}" if standing.low is not None and standing.high is not None else "–"
    )


def _group(place: Place) -> str:
    standing = place.standing
    if standing.group is None:
        return _("too few sessions")
    return _("{group}: not distinguishable", group=standing.group) if standing.tied else str(standing.group)


def _voices(name: str) -> str:
    return {"customer": _("Customers"), "agent": _("Agents")}[name]
