"""Reports for programs: JSON with every number exact. `tables` has the same as CSV.

JSON is an object with `schema` ("emostore.clip", "emostore.session" or "emostore.agent", then "/" and a version, which
rises where a field changes its meaning or goes; new fields may come at any time), `made_at`, `made_by` and `emotions`,
the order of every list of nine. Times are ISO 8601 with an offset, those of a recording seconds (`_s`); sentences are
English. What is not known is null.

`clip` (and each of `clips` of a session): what the Clip page tells. `analysis` is the newest one: its `scores` by name
under the `calibration`, whether they are `uncertain`, `quality` by a scoring profile (null for an agent's own voice),
`insights`, and `windows`: row i of `scores` is from `i * hop_s` for `length_s` seconds, under the same calibration, and
counts where `scored[i]` (somebody speaks); `left_out` says which part of the calibration windows cannot have, null
where they have all of it. `trajectory` says of the scored windows what `emostore.analytics.trajectory` finds. `speech`
has [start, end] of every stretch of speech.

A `model` has `never_given`: emotions of its `classes` that were exactly 0 in all its latest clips, so not measured.
A session also has `calls`: clip ids with who talks how much (null where speech is not known of a side). An agent has
`agent_voices` (of those the agent speaks with) and `others`, each with `whole` and `weeks`: clips, alerts, and means
with their intervals.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from emostore import __version__
from emostore.analytics import trajectory as paths
from emostore.analytics.over_time import Estimate
from emostore.analytics.quality import BALANCED
from emostore.analytics.talk import Talk
from emostore.analytics.trajectory import Change, Moment, Trajectory
from emostore.emotions import EMOTIONS
from emostore.i18n import explain
from emostore.services.report.facts import AgentFacts, ClipFacts, SessionFacts
from emostore.services.views import watching
from emostore.store.reports.report_views import AlertView, SeriesPoint, Totals
from emostore.store.reports.views import AnalysisView

VERSION = 1


def json_of_clip(found: ClipFacts, made_at: datetime) -> bytes:
    """A clip as JSON, in UTF-8."""
    return _json("clip", made_at, {"clip": _clip(found)})


def json_of_session(found: SessionFacts, made_at: datetime) -> bytes:
    """A session as JSON, in UTF-8."""
    return _json(
        "session",
        made_at,
        {
            "session": {"id": found.session_id, "name": found.name, "recordings": found.count, "told": found.shown},
            "calls": [
                {
                    "clip_ids": [voice.view.clip_id for voice in call.conversation.voices],
                    "talk": _talk(call.conversation.talk),
                }
                for call in found.calls
            ],
            "clips": [_clip(each) for each in found.clips],
        },
    )


def json_of_agent(found: AgentFacts, made_at: datetime) -> bytes:
    """An agent as JSON, in UTF-8."""
    profile, header, model = found.profile, found.profile.header, found.profile.header.model
    return _json(
        "agent",
        made_at,
        {
            "agent": {"name": header.agent, "team": header.team, "demo": header.demo},
            "from": _day(found.from_date),
            "to": _day(found.to_date),
            "model": model
            and {
                "name": model.name,
                "revision": model.revision,
                "classes": list(model.classes),
                "never_given": list(found.masked.never),
                "calibration": model.calibration,
                "calibration_version": model.calibration_version,
            },
            "profile": {"name": BALANCED.name, "version": BALANCED.version},
            "clips_by_role": dict(header.clips_by_role),
            **dict(sums_of_agent(found)),
            "alerts": [_alert(row) for row in found.alerts.rows],
            "apart": [name for name in profile.scores if profile.apart(name)],
        },
    )


def _json(kind: str, made_at: datetime, content: Mapping[str, Any]) -> bytes:
    head = {
        "schema": f"emostore.{kind}/{VERSION}",
        "made_at": made_at.isoformat(),
        "made_by": f"emostore {__version__}",
        "emotions": list(EMOTIONS),
    }
    text = json.dumps({**head, **content}, ensure_ascii=False, indent=1, allow_nan=False)
    return text.encode(errors="replace")  # a file's name may hold what is no character


def _clip(found: ClipFacts) -> dict[str, Any]:
    view, segments = found.view, found.voice.segments
    return {
        "id": view.clip_id,
        "file_name": view.file_name,
        "sha256": view.sha256,
        "channel": view.channel,
        "channel_count": view.channel_count,
        "role": view.role,
        "agent": view.agent,
        "team": view.team,
        "session": {"id": view.session_id, "name": view.session_name},
        "happened_at": view.happened_at.isoformat(),
        "happened_at_source": view.happened_at_source,
        "uploaded_at": view.uploaded_at.isoformat(),
        "starts_s": view.starts_s,
        "duration_s": view.duration_s,
        "speech_s": view.speech_s,
        "scenario": view.scenario,
        "domain": view.domain,
        "language": view.language,
        "container": view.container,
        "codec": view.codec,
        "sample_rate": view.sample_rate,
        "byte_count": view.byte_count,
        "demo": view.demo,
        "notes": [explain(note, "en") for note in view.notes],
        "speech": None if segments is None else segments.tolist(),
        "analysis": _analysis(found, found.analysis) if found.analysis else None,
        "alerts": [_alert(row) for row in found.alerts],
    }


def _analysis(found: ClipFacts, analysis: AnalysisView) -> dict[str, Any]:
    scores, path = found.scores, found.trajectory
    return {
        "model": {
            "name": analysis.model,
            "revision": analysis.revision,
            "licence": analysis.licence,
            "classes": list(analysis.classes),
            "never_given": list(found.masked.never),
        },
        "calibration": {"name": analysis.calibration, "version": analysis.calibration_version},
        "analysed_at": analysis.analysed_at.isoformat(),
        "status": analysis.status,
        "no_speech_reason": analysis.no_speech_reason,
        "scores": dict(scores) if scores else None,
        "dominant": scores.dominant if scores else None,
        "confidence": scores.confidence if scores else None,
        "uncertain": found.uncertain,
        "entropy": scores.entropy if scores else None,
        "quality": None
        if found.quality is None
        else {"value": found.quality, "profile": BALANCED.name, "version": BALANCED.version},
        "insights": [
            {"kind": each.kind, "severity": each.severity, "sentence": explain(each.sentence, "en")}
            for each in found.insights
        ],
        "windows": None
        if path is None
        else {
            "hop_s": path.hop_s,
            "length_s": path.length_s,
            "scored": path.scored.tolist(),
            "scores": path.scores.tolist(),
            "left_out": explain(found.voice.left_out, "en") if found.voice.left_out else None,
        },
        "trajectory": None if path is None else _trajectory(path),
    }


def _trajectory(path: Trajectory) -> dict[str, Any]:
    slopes, deviation, trend = paths.slopes(path), paths.deviation(path), paths.trend(path)
    return {
        "slope_per_minute": slopes and _named(slopes.per_minute.tolist()),
        "slope_per_window": slopes and _named(slopes.per_window.tolist()),
        "standard_deviation": None if deviation is None else _named(deviation.tolist()),
        "share_of_time": paths.shares(path),
        "dominant_changes": [_change(path, each) for each in paths.changes(path)],
        "clear_changes": [_change(path, each) for each in paths.clear_changes(path)],
        "mood": trend
        and {
            "verdict": trend.verdict,
            "per_minute": trend.per_minute,
            "change": trend.change,
            "p_value": trend.p_value,
        },
        "worst": _moment(paths.worst(path)),
        "best": _moment(paths.best(path)),
    }


def _named(values: Sequence[float]) -> dict[str, float]:
    return dict(zip(EMOTIONS, values, strict=True))


def _change(path: Trajectory, change: Change) -> dict[str, Any]:
    at_s = path.boundary_s(change.index)
    return {"index": change.index, "at_s": at_s, "from": change.before, "to": change.after}


def _moment(found: Moment | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "index": found.index,
        "start_s": found.start_s,
        "end_s": found.end_s,
        "score": found.score,
        "emotion": found.emotion,
    }


def _alert(row: AlertView) -> dict[str, Any]:
    sentence = watching.sentence(row)
    return {
        "id": row.alert_id,
        "clip_id": row.clip_id,
        "rule": row.rule,
        "rule_version": row.rule_version,
        "severity": row.severity,
        "state": row.state,
        "assignee": row.assignee,
        "value": row.value,
        "threshold": row.threshold,
        "start_s": row.start_s,
        "end_s": row.end_s,
        "model": row.model,
        "revision": row.revision,
        "sentence": explain(sentence, "en") if sentence else None,
    }


def _talk(talk: Talk | None) -> dict[str, Any] | None:
    if talk is None:
        return None
    return {
        "length_s": talk.length_s,
        "speech_s": talk.speech_s,
        "overlap_s": talk.overlap_s,
        "silence_s": talk.silence_s,
        "sides": [
            {
                "talk_s": side.talk_s,
                "share": side.share,
                "turns": side.turns,
                "longest_turn_s": side.monologue_s,
                "answers": side.answers,
                "median_wait_s": side.gap_s,
                "longest_wait_s": side.slowest_s,
                "interruptions": side.interruptions,
            }
            for side in talk.sides
        ],
    }


def sums_of_agent(found: AgentFacts) -> list[tuple[str, dict[str, Any]]]:
    """The agent's sums and the others', each of the whole time and by week."""
    profile, header = found.profile, found.profile.header
    days = profile.step_days
    mine = {
        "whole": _sums(header.totals, header.series, days, profile.quality, profile.scores),
        "weeks": [
            _sums(point.totals, [point], days, quality, scores)
            for point, quality, scores in zip(header.series, profile.qualities, profile.score_series, strict=True)
        ],
    }
    others = {
        "whole": _sums(header.others, header.others_series, days, profile.others_quality, None),
        "weeks": [
            _sums(point.totals, [point], days, quality, None)
            for point, quality in zip(header.others_series, profile.others_qualities, strict=True)
        ],
    }
    return [("agent_voices", mine), ("others", others)]


def _sums(
    totals: Totals,
    points: Sequence[SeriesPoint],
    days: int,
    quality: Estimate | None,
    scores: Mapping[str, Estimate] | None,
) -> dict[str, Any]:
    """Counts and means of some points; without `scores` the means have no intervals."""
    means = totals.mean_scores
    given = scores or {name: Estimate(value, None, None) for name, value in (means or {}).items()}
    return {
        "first_day": _day(points[0].first_day) if points else None,
        "last_day": _day(points[-1].first_day + timedelta(days - 1)) if points else None,
        "clips": totals.clips,
        "alerts": totals.alerts,
        "speech_s": totals.speech_s,
        "quality": _estimate(quality),
        "scores": {name: _estimate(each) for name, each in given.items()} or None,
    }


def _estimate(given: Estimate | None) -> dict[str, float | None] | None:
    return None if given is None else {"value": given.value, "low": given.low, "high": given.high}


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
