"""The Calibration page: what is missing, what a trial says, which scores are read, and the way there and back."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from emostore import access
from emostore.analytics.calibration import Calibration, Scaling
from emostore.analytics.calibration.fitting import Options
from emostore.config import settings
from emostore.errors import SettingsError
from emostore.services import preferences
from emostore.services.calibration import calibrating, fitting, labelling
from emostore.store.calibration import calibrations
from emostore.store.calibration.labels import NewLabel
from emostore.store.session import Store
from emostore.store.writing import edits
from emostore.ui.bootstrap import open_store
from tests.app.conftest import HOME, text
from tests.app.labelled import KEY, label, many
from tests.app.stored import saved


def opened(app: AppTest, **asked: str) -> AppTest:
    for name, value in asked.items():
        app.query_params[name] = value
    at = app.switch_page("pages/calibration.py").run()
    assert not at.exception
    return at


def labelled(store: Store, count: int = 60, *, embedded: bool = False) -> list[int]:
    ids = many(store, count, embedded=embedded)
    label(store, ids)
    return ids


def tried(at: AppTest) -> AppTest:
    at.button(key="try_out").click().run()
    assert not at.exception
    assert not at.error
    return at


def keys(at: AppTest) -> set[str | None]:
    return {button.key for button in at.button}


def test_without_anything_analysed_the_page_says_where_to_begin(app: AppTest, data_dir: object) -> None:
    at = opened(app)
    assert "Nothing has been analysed yet" in text(at)
    assert "try_out" not in keys(at)


def test_without_labels_it_leads_to_labelling(app: AppTest, store: Store) -> None:
    many(store, 2)
    at = opened(app)
    assert "Everybody reads the scores of nine **as the model gave them**" in text(at)
    assert "is not known: no clip has a label" in text(at)
    assert any("label" in link.proto.page for link in at.get("page_link"))
    assert "try_out" not in keys(at)


def test_too_few_labels_say_how_many_more(app: AppTest, store: Store) -> None:
    ids = many(store, 12)
    label(store, ids[:11])
    at = opened(app)
    assert "11 labels are too few" in text(at)
    assert "9 more until a calibration can be fitted" in str(at.get("progress")[0].proto.text)
    assert not at.metric


def test_with_labels_the_raw_scores_are_measured_at_once(app: AppTest, store: Store) -> None:
    labelled(store)
    at = opened(app)
    shown = text(at)
    assert "Measured on 60 labelled clips." in shown
    assert "60 labels are few" in shown
    found = fitting.sample(store, KEY)
    raw = fitting.figures(found.labelled.clips.scores(Calibration()), found.labelled.labels)
    assert raw.ece > 0.15  # the clips are over-confident
    assert [each.value for each in at.metric] == [
        f"{raw.ece:.3f}",
        f"{raw.nll:.3f}",
        f"{raw.brier:.3f}",
        f"{raw.uar:.1%}",
        f"{raw.wa:.1%}",
    ]
    assert all(each.delta in (None, "") for each in at.metric)
    assert "keep_active" not in keys(at)


def test_a_trial_shows_before_and_after_and_changes_nothing(app: AppTest, store: Store) -> None:
    labelled(store)
    at = tried(opened(app))
    trial = fitting.try_out(store, KEY, Options())
    assert trial.after.ece < trial.before.ece - 0.1
    assert "The scores come nearer to what raters heard, by more than chance" in text(at)
    (error, *_rest) = at.metric
    assert error.value == f"{trial.after.ece:.3f}"
    assert error.delta == f"{trial.after.ece - trial.before.ece:+.3f}"
    assert len(calibrations.listed(store, KEY)) == 1
    (parts,) = [table.value for table in at.dataframe if "Which clips" in table.value]
    assert list(parts["Which clips"]) == ["Recorded by: Headset", "Recorded by: Telephone"]
    assert list(parts["Labels"]) == [30, 30]


def test_a_trial_is_kept_activated_and_rolled_back(app: AppTest, store: Store) -> None:
    labelled(store)
    at = tried(opened(app))
    at.text_input(key="calibration_name").set_value("*cool*").run()
    at.button(key="keep_active").click().run()
    assert not at.exception
    newest, raw = calibrations.listed(store, KEY)
    assert newest.name == "*cool*"
    assert newest.fitted_on["labels"] == 60
    calibrating.wait(open_store(), 60)
    at = opened(at)
    assert calibrations.get(store, newest.id).active
    shown = text(at)
    assert "under **\\*cool\\*** (version 2)" in shown
    assert "labels: 60, sessions: 60" in shown
    assert "Before it and after it" in shown  # measured again in the same way, without being asked
    assert "keep_active" not in keys(at)
    assert "activate_2" not in keys(at)
    at.button(key="activate_1").click().run()
    assert not at.exception
    calibrating.wait(open_store(), 60)
    assert calibrations.get(store, raw.id).active
    at = opened(at)
    assert "as the model gave them" in text(at)
    assert at.button(key="activate_2").label == "Activate"


def test_a_head_is_trained_kept_and_named(app: AppTest, store: Store) -> None:
    labelled(store, embedded=True)
    at = opened(app)
    assert at.toggle(key="fit_trained").value is False
    at.toggle(key="fit_trained").set_value(True).run()
    shown = text(at).replace("\\", "")
    assert "It would learn Angry, Happy, Neutral, Sad from 60 labels." in shown
    assert "A head is learnt from 60 labels here: some hundreds, 300 at least, make it better." in shown
    assert "The trained head never gives disgusted, fearful, other, surprised, unknown: of each" in shown
    at = tried(at)
    trial = fitting.try_out(store, KEY, Options(trained=True))
    assert trial.after.uar > trial.before.uar + 0.1
    assert at.metric[3].value == f"{trial.after.uar:.1%}"
    assert text(at).count("A head is learnt from 60 labels") == 1  # beside the figures, and not in the form any more
    assert at.text_input(key="calibration_name").value.startswith("Trained head 20")
    at.button(key="keep_active").click().run()
    assert not at.exception
    calibrating.wait(open_store(), 60)
    at = opened(at)
    assert at.toggle(key="fit_trained").value is True  # as what is read was made
    shown = text(at).replace("\\", "")
    assert "A head trained on labels gives Angry, Happy, Neutral, Sad." in shown
    assert "It was not taught Disgusted, Fearful, Other, Surprised, Unknown and never gives them" in shown
    assert "Learnt from 60 labels, tried on 5 parts of the sessions in turn, C = " in shown
    assert ":violet-badge[:material/school: trained head]" in shown


def test_without_embeddings_no_head_can_be_trained(app: AppTest, store: Store) -> None:
    labelled(store)
    toggle = opened(app).toggle(key="fit_trained")
    assert toggle.disabled
    assert "no embeddings" in toggle.help


def test_a_trial_can_be_kept_for_later(app: AppTest, store: Store) -> None:
    labelled(store)
    at = tried(opened(app))
    at.button(key="keep_only").click().run()
    newest, raw = calibrations.listed(store, KEY)
    assert (newest.state, raw.active) == ("ready", True)
    assert newest.name.startswith("Temperature 20")
    assert at.button(key="activate_2").label == "Activate"


def test_what_cannot_be_fitted_is_said(app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise SettingsError("Aligning takes at least {allowed} clips of the domain {found}.", allowed=20, found="phone")

    labelled(store)
    at = opened(app)
    monkeypatch.setattr(fitting, "try_out", fails)
    at.button(key="try_out").click().run()
    assert not at.exception
    assert "at least 20 clips of the domain phone" in at.error[0].value
    assert "keep_active" not in keys(at)
    assert at.metric  # the raw scores are measured still


def test_what_is_being_scored_is_followed_and_can_be_cancelled(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(store, 3)
    identifier = calibrating.create(store, KEY, "cool", Calibration(scaling=Scaling.of_temperature(4)))
    monkeypatch.setattr(calibrating, "resume", lambda store: None)
    with edits.changing(store) as session:
        calibrations.begin(session, identifier)
    at = opened(app)
    assert "Scoring 0 of 3" in str([each.proto.text for each in at.get("progress")])
    assert "Until it is done everybody reads the scores as before." in text(at)
    at.button(key=f"cancel_{identifier}").click().run()
    assert not at.exception
    assert calibrations.get(store, identifier).state == "ready"
    assert "Scoring" not in str([each.proto.text for each in at.get("progress")])


def test_what_is_called_uncertain_is_tried_before_it_is_saved(app: AppTest, store: Store) -> None:
    labelled(store)
    at = opened(app)
    assert "save_band" not in keys(at)
    at.slider(key="uncertain_band").set_value(0.95).run()
    assert preferences.load(store, settings()).uncertain_below == 0.4
    shown = text(at)
    found = fitting.sample(store, KEY)
    scores = found.labelled.clips.scores(Calibration())
    kept = scores.max(axis=1) >= 0.95
    right = (scores.argmax(axis=1) == found.labelled.labels)[kept].mean()
    assert f"{kept.mean():.0%} of the clips are kept, and {right:.0%} of these are right" in shown
    at.button(key="save_band").click().run()
    assert not at.exception
    assert preferences.load(store, settings()).uncertain_below == 0.95
    assert "save_band" not in keys(at.run())


def test_each_model_has_calibrations_of_its_own(app: AppTest, store: Store) -> None:
    labelled(store)
    saved(store)  # by another model, the newest analysis
    assert "Everybody reads the scores of six" in text(opened(app))
    at = opened(app, model=" ".join(KEY))
    assert "Everybody reads the scores of nine" in text(at)
    assert at.metric


def test_what_a_model_cannot_give_and_raters_heard_is_said(app: AppTest, store: Store) -> None:
    ids = [saved(store, name=f"{number}.wav", session_name=f"S{number}") for number in range(24)]
    label(store, ids)
    labelling.save_many(store, {(clip_id, "Bo"): NewLabel("surprised", reason="random") for clip_id in ids[:3]})
    at = opened(app)
    assert "Raters heard Surprised, which six cannot give" in text(at)


def test_a_version_of_another_program_is_shown_and_not_activated(app: AppTest, store: Store) -> None:
    many(store, 1)
    with edits.changing(store) as session:
        calibrations.add(
            session, calibrations.model_id(session, KEY), "<b>odd</b>", {"scaling": 3}, metrics={"before": 1}
        )
    at = opened(app)
    assert "\\<b\\>odd" in text(at)
    at.button(key="activate_2").click().run()
    assert not at.exception
    assert calibrations.listed(store, KEY)[1].active


def test_without_the_right_it_is_read_only(app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled(store)
    calibrating.create(store, KEY, "cool", Calibration(scaling=Scaling.of_temperature(4)))
    monkeypatch.setattr(access, "can", lambda action, subject=None: action == "read")
    at = opened(app)
    assert "Only who administers this app" in text(at)
    assert at.metric
    at.slider(key="uncertain_band").set_value(0.9).run()
    assert not keys(at) & {"try_out", "keep_active", "activate_2", "save_band"}


def test_what_is_in_use_is_measured_once_for_all_and_again_when_a_label_changes(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = labelled(store)
    calibrating.activate(store, fitting.keep(store, "cool", fitting.try_out(store, KEY, Options())))
    calibrating.wait(store, 60)
    measured = []
    original = fitting.try_out
    monkeypatch.setattr(fitting, "try_out", lambda *given: measured.append(given) or original(*given))
    for _ in range(2):
        assert "Before it and after it" in text(opened(AppTest.from_file(HOME, default_timeout=60)))
    assert len(measured) == 1
    labelling.save_many(store, {(ids[0], "Bo"): NewLabel("sad", reason="random")})  # as many as before
    opened(app)
    assert len(measured) == 2
