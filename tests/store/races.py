"""What a second process does; it is started afresh and finds its work by name."""

from __future__ import annotations

from typing import Any

from emostore.store import migrate
from emostore.store.queue import job_claims
from emostore.store.session import create_store
from emostore.store.writing import clips
from tests.store.samples import analysis


def save_together(url: str, names: list[str], barrier: Any, answers: Any) -> None:
    """Save the same clips as the other processes, at the same moment; answer ids and what was created."""
    store = create_store(url)
    barrier.wait()
    try:
        saved = clips.save_many(store, [analysis(name, agent="Ann", team="North") for name in names])
        answers.put([(each.analysis_id, each.created) for each in saved])
    except BaseException as error:
        answers.put(repr(error))
        raise
    finally:
        store.close()


def upgrade_together(url: str, barrier: Any, answers: Any) -> None:
    """Migrate the same database as the other processes, at the same moment."""
    barrier.wait()
    try:
        answers.put(migrate.upgrade(url).up_to_date)
    except BaseException as error:
        answers.put(repr(error))
        raise


def claim_together(url: str, worker: str, barrier: Any, answers: Any) -> None:
    """Claim and finish items at the same time as the other processes, until there are none; answer which."""
    store = create_store(url)
    barrier.wait()
    taken = []
    try:
        while item := job_claims.claim(store, worker, 60.0):
            taken.append(item.id)
            job_claims.finish(store, item.id, worker, [], 0.0)
        answers.put(taken)
    except BaseException as error:
        answers.put(repr(error))
        raise
    finally:
        store.close()
