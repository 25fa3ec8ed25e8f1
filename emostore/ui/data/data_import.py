"""Importing: files are chosen, what would come of them is shown, and only then anything is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import available_timezones

import streamlit as st
from streamlit.typing import UploadedFile

from emostore import access
from emostore.errors import EmostoreError
from emostore.services import importing
from emostore.services.importing import Options, Plan, Planned
from emostore.services.metadata.descriptions import ROLES, SCENARIOS, Description
from emostore.ui import heard, urls
from emostore.ui.bootstrap import background_import, in_force, open_store
from emostore.ui.data import data_files, data_running
from emostore.ui.text import _, explain, plain, role, scenario, when

_ROUND = "import_round"  # counted up after each import, so that the widgets let go of their files
_PLAN = "import_plan"  # the last dry run, by what it was made of
_SOURCES = ("files", "folder")
_SHOWN = 200  # clips in the table of a dry run
_NAMED = 5  # files that are left aside
_ROW_PX = 35
_HEIGHT_PX = 400


def section() -> None:
    """From choosing files to the clips that came of them."""
    access.require("analyse")
    above = st.container()
    st.write(
        _(
            "Results that another tool, or this one elsewhere, has written become clips here. First you see what would "
            "be created; nothing is stored before you confirm it."
        )
    )
    source = st.segmented_control(
        _("Source"), _SOURCES, required=True, format_func=_source_name, **urls.bound("source", _SOURCES, "files")
    )
    number = st.session_state.setdefault(_ROUND, 0)
    files = data_files.choose(f"import_{source}_{number}", folder=source == "folder")
    options = _options()
    with above:
        data_running.board(chosen=bool(files))
    if not files:
        _formats()
        return
    if options is None:
        return
    plan = _planned(files, options)
    if plan is not None:
        _show(plan)
        _confirm(files, options, plan)


def _source_name(source: str) -> str:
    return {"files": _("Files or a zip"), "folder": _("A folder")}[source]


def _formats() -> None:
    """What can be imported, for whoever has not chosen anything yet."""
    st.info(
        "\n".join(
            f"- {line}"
            for line in (
                _("`result.json`, whole `outputs_…` folders with their embedding and sound, or a zip of them"),
                _("frames with nine scores each: `result_frame.json`, or a list inside `result.json`"),
                _("answers of FunASR with `labels` and `scores`"),
                _("JSON Lines, tables (CSV) and result folders that this app exported"),
                _("any CSV with a column for each of the nine emotions"),
            )
        ),
        title=_("What can be imported"),
        icon=":material/database_upload:",
    )


def _options() -> Options | None:
    """What the reader says of the files; None while something of it has to be put right."""
    with st.expander(_("What the files do not say (may be left empty)"), icon=":material/edit_note:"):
        left, right = st.columns(2)
        agent = left.text_input(_("Agent"), max_chars=200, key="import_agent")
        team = right.text_input(_("Team"), max_chars=200, key="import_team")
        session = left.text_input(_("Session"), max_chars=200, key="import_session")
        voice = right.selectbox(
            _("Whose voice it is"), ROLES, ROLES.index("unknown"), format_func=role, key="import_role"
        )
        what = left.selectbox(_("What it is"), SCENARIOS, None, format_func=scenario, key="import_scenario")
        zone = right.selectbox(
            _("Time zone of times without one"),
            sorted(available_timezones()),
            None,
            placeholder=in_force().time_zone,
            key="import_zone",
        )
        model = left.text_input(
            _("Model that gave the scores"), max_chars=100, placeholder="emotion2vec_plus_large", key="import_model"
        )
        hop_ms = right.number_input(
            _("Distance of frames that do not say it (ms)"), 1.0, 60_000.0, None, placeholder="20", key="import_hop"
        )
    try:
        about = Description(
            agent=agent.strip() or None,
            team=team.strip() or None,
            session=session.strip() or None,
            roles=(voice,),
            scenario=what,
        )
        about.check()
        return Options(
            zone or in_force().time_zone,
            zone is not None,
            about,
            model.strip() or None,
            hop_ms / 1000 if hop_ms else None,
        )
    except EmostoreError as error:
        st.error(explain(error), icon=":material/error:")
        return None


def _planned(files: Sequence[UploadedFile], options: Options) -> Plan | None:
    """The dry run, made once for the same files and options, and again after an import."""
    task = background_import()
    key = (tuple(file.file_id for file in files), options, task.number - task.running)
    known: tuple[Any, Plan] | None = st.session_state.get(_PLAN)
    if known is not None and known[0] == key:
        return known[1]
    try:
        with st.spinner(_("Looking through the files …"), show_time=True):
            plan = importing.plan(open_store(), in_force(), data_files.given(files), options)
    except EmostoreError as error:
        st.error(explain(error), icon=":material/error:")
        return None
    st.session_state[_PLAN] = (key, plan)
    return plan


def _show(plan: Plan) -> None:
    """What would be created, what is doubtful, and what is refused and why."""
    st.subheader(_("What would come of it"), anchor=False)
    with st.container(horizontal=True, key="import_counts"):
        figures = {
            _("New clips"): plan.count("new"),
            _("Further scores"): plan.count("added"),
            _("There already"): plan.count("stored", "twin"),
            _("Refused"): plan.refused_count,
            **({_("Labels"): plan.labels} if plan.labels else {}),
        }
        for label, count in figures.items():
            st.metric(label, f"{count:,}", border=True, width=170)
    data_files.refusals(plan.refused, plan.refused_count)
    if plan.doubts:
        lines = [f"- {plain(explain(doubt))} :gray[{_clips(count)}]" for doubt, count in plan.doubts]
        st.warning("\n".join(lines), title=_("What is doubtful"), icon=":material/help:")
    if plan.clips:
        _table(plan.clips)
        models = ", ".join(f"{name} · {revision}" for name, revision in plan.models)
        st.caption(_("Scores are kept as those of {models}, apart from every other model.", models=plain(models)))
    if plan.passed:
        names = ", ".join(plan.passed[:_NAMED]) + (" …" if len(plan.passed) > _NAMED else "")
        st.caption(_("Left aside, because they hold no results: {names}", names=plain(names)))


def _table(clips: Sequence[Planned]) -> None:
    rows = [
        {
            _("File"): clip.file_name,
            _("What happens"): _state(clip.state),
            _("When"): when(clip.happened_at) if clip.happened_at_source != "upload" else _("not known"),
            _("Agent"): clip.agent or "",
            _("Emotion"): heard.named(clip.scores),
            _("Confidence"): clip.scores.confidence if clip.scores else None,
            _("Windows"): f"{clip.windows:,}" if clip.windows else "–",
            _("Embedding"): clip.has_embedding,
            _("Sound"): clip.has_sound,
        }
        for clip in clips[:_SHOWN]
    ]
    st.dataframe(
        rows,
        hide_index=True,
        height=min(_HEIGHT_PX, (len(rows) + 1) * _ROW_PX + 3),
        column_config={
            _("Confidence"): st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent", width="small")
        },
        key="import_clips",
        alt=_("The clips that the files hold, and what an import does with each"),
    )
    if len(clips) > _SHOWN:
        st.caption(_("The first {shown} of {count} clips are listed.", shown=_SHOWN, count=f"{len(clips):,}"))


def _state(state: str) -> str:
    return {
        "new": _("is created"),
        "added": _("gets these scores, too"),
        "stored": _("is there already"),
        "twin": _("is the same as another one here"),
    }[state]


def _clips(count: int) -> str:
    return _("1 clip") if count == 1 else _("{count} clips", count=f"{count:,}")


def _confirm(files: Sequence[UploadedFile], options: Options, plan: Plan) -> None:
    """The button that stores what was shown."""
    count = plan.count("new", "added")
    label = _("Import 1 clip") if count == 1 else _("Import {count} clips", count=f"{count:,}")
    if plan.labels and not count:
        label = _("Import the labels: {count}", count=f"{plan.labels:,}")
    if not plan.wanted:
        st.info(_("There is nothing new to import."), icon=":material/check:")
    elif st.button(
        label,
        type="primary",
        icon=":material/database_upload:",
        key="import_now",
        disabled=background_import().running,
        help=_("Another import is running; wait until it has ended.") if background_import().running else None,
    ):
        if data_running.begin(files, options, plan):
            st.session_state.pop(_PLAN, None)
            st.session_state[_ROUND] += 1
        st.rerun()
