"""Embeddings of clips that fit a filter, for a map of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from emostore.store.calibration import neighbours
from emostore.store.calibration.neighbours import Described
from emostore.store.reports.history_filter import HistoryFilter
from emostore.store.reports.history_query import prepare
from emostore.store.reports.report_views import ModelInUse
from emostore.store.rollups import rollup_reading
from emostore.store.session import Store
from emostore.store.tables.models import Analysis
from emostore.store.writing import bulk


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """Clips, the latest first, and their embeddings under one model, float16 of shape (n, dim).

    `fitting` clips fit the filter, or `more`.
    """

    model: ModelInUse
    clips: tuple[Described, ...]
    vectors: NDArray[np.float16]
    fitting: int
    more: bool


def sampled(store: Store, wanted: HistoryFilter, most: int, among: int) -> Sampled | None:
    """At most `most` clips, evenly spaced among the latest `among` that fit; None before the first analysis.

    Only of the model that the filter names, else of the newest analysis. Clips without an embedding are left out.
    """
    with store.reading() as session:
        model = rollup_reading.model_in_use(session, wanted.model)
        if model is None:
            return None
        query = prepare(session, replace(wanted, model=(model.name, model.revision)))
        fitting = [row.clip_id for row in session.execute(query.page(among + 1))]
        more, fitting = len(fitting) > among, fitting[:among]
        chosen = np.unique(np.linspace(0, len(fitting) - 1, min(most, len(fitting))).round().astype(int))
        order = {fitting[place]: place for place in chosen.tolist()}
        analyses: dict[int, int] = {}
        for condition, parameters in bulk.matching(
            session, [bulk.table(Analysis).c.clip_id], [(key,) for key in sorted(order)]
        ):
            of_model = select(Analysis.id, Analysis.clip_id).where(
                condition, Analysis.model_revision_id == model.model_id
            )
            analyses |= {row.id: order[row.clip_id] for row in session.execute(of_model, parameters)}
        found = [
            (int(key), vector)
            for ids, vectors in neighbours.vectors(session, list(analyses))
            for key, vector in zip(ids, vectors, strict=True)
            if np.isfinite(vector).all() and vector.any()
        ]
    clips = neighbours.described(store, [key for key, _ in found])
    found = sorted((each for each in found if each[0] in clips), key=lambda each: analyses[each[0]])
    stacked = np.stack([vector for _, vector in found]) if found else np.zeros((0, 1), np.float16)
    return Sampled(model, tuple(clips[key] for key, _ in found), stacked, len(fitting), more)
