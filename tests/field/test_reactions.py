"""Reactions: a word moves what it names, can be taken back, and is not lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from kelly_live.cli.profile import command as profile_command
from kelly_live.control.keyboard import find_action
from kelly_live.control.midi_map import DEFAULTS, Binding, Control, MidiMap
from kelly_live.control.osc_surface import create_action
from kelly_live.core.actions import Action
from kelly_live.core.emotion_space import create_state, relax_state
from kelly_live.core.errors import ConfigError, OutputError
from kelly_live.core.midi_messages import ReceivedMessage, note_on
from kelly_live.core.resources import find_resources
from kelly_live.core.values import EMOTIONS
from kelly_live.engine.build import load_profile
from kelly_live.mapping.learner import Learner
from kelly_live.mapping.mapper import LearnedMapper
from kelly_live.mapping.net import USER_DIM, load_mapper_net
from kelly_live.mapping.profile_taste import learn_profile, play_for_embedding
from kelly_live.mapping.taste import ERRORS, play_values
from kelly_live.profiles.profile import Profile, from_yaml, new_profile
from kelly_live.profiles.reaction import PLAYED_PARAMETERS, WORDS, create_reaction
from kelly_live.profiles.store import ProfileStore
from tests.profiles.sample import NOW

NET = load_mapper_net(find_resources("models"))
BASE = np.zeros(USER_DIM)


def play_errors(embedding: np.ndarray, emotion: str) -> dict[str, float]:
    """How far each parameter lies from the base, in errors of a target."""
    state = relax_state(create_state(emotion=emotion))
    values, base = (play_values(NET, one, [state], PLAYED_PARAMETERS)[0] for one in (embedding, BASE))
    return {name: (values[i] - base[i]) / ERRORS[name] for i, name in enumerate(PLAYED_PARAMETERS)}


def say(profile: Profile, word: str, emotion: str) -> Profile:
    state = relax_state(create_state(emotion=emotion))
    embedding = BASE if profile.embedding is None else np.array(profile.embedding)
    (values,) = play_for_embedding(NET, embedding, [state])
    return learn_profile(NET, profile.with_reaction(create_reaction(NOW, word, state, values)))


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("word", WORDS)
def test_a_word_moves_what_it_names_and_leaves_the_rest_within_an_error(word: str, emotion: str) -> None:
    profile, parameters = new_profile("anna", NOW), [name for name, _ in WORDS[word]]
    for _ in range(4):
        profile = say(profile, word, emotion)
        assert profile.embedding is not None
        errors = play_errors(np.array(profile.embedding), emotion)
        assert max(abs(errors[name]) for name in errors if name not in parameters) < 1.0
    assert max(abs(errors[name]) for name in parameters) > 1.0


def test_what_was_never_named_gives_way_as_soon_as_it_is() -> None:
    profile = new_profile("anna", NOW)
    for _ in range(8):
        profile = say(profile, "too-fast", "sad")
    before = play_errors(np.array(profile.embedding), "sad")
    for least in (0.1, 0.2, 0.3):
        profile = say(profile, "too-bright", "sad")
        after = play_errors(np.array(profile.embedding), "sad")
        assert after["register"] < before["register"] - least
        assert after["tempo"] == pytest.approx(before["tempo"], abs=0.5)


# ---------------------------------------------------------------- taken back, backed up, never lost


@pytest.fixture
def store(tmp_path: Path) -> ProfileStore:
    store = ProfileStore(tmp_path / "profiles")
    store.create(say(new_profile("cleo", NOW), "too-bright", "happy"))
    return store


@pytest.fixture
def cleo(store: ProfileStore) -> Iterator[Learner]:
    learner = Learner(store, LearnedMapper(NET), store.load("cleo"))
    yield learner
    learner.close()


def react(learner: Learner, *words: str) -> list[str]:
    answers = [learner.undo() if word == "undo" else learner.react(word, create_state(emotion="sad")) for word in words]
    learner.wait_until_learned()
    return answers


def test_a_reaction_can_be_taken_back(cleo: Learner, store: ProfileStore) -> None:
    before = store.load("cleo")
    react(cleo, "too-fast")
    one = store.load("cleo")
    react(cleo, "too-dark", "undo")
    assert (store.load("cleo").reactions, store.load("cleo").embedding) == (one.reactions, one.embedding)
    react(cleo, "undo")
    assert store.load("cleo") == before
    assert cleo.take_lines()[-1] == "undo: cleo plays as before the last reaction (1 said)"


def test_only_what_was_said_in_this_session_is_taken_back(cleo: Learner, store: ProfileStore) -> None:
    assert react(cleo, "undo") == ["nothing to undo: cleo has said nothing more in this session"]
    react(cleo, "like", "undo", "undo", "undo")
    assert store.load("cleo").count == 1


@pytest.mark.parametrize("source", ["key", "osc", "pad"])
def test_it_is_taken_back_by_key_osc_or_pad(source: str) -> None:
    undo = Action("undo-reaction")
    actions = {
        "key": find_action("u"),
        "osc": create_action("undo-reaction", 1.0),
        "pad": MidiMap((Binding(Control("note", 40), "undo-reaction"),)).read(
            [ReceivedMessage(0.0, note_on(1, 40, 90))], lambda axis: 0.0
        )[0],
    }
    assert actions[source] == undo
    assert undo.name not in {binding.action for binding in DEFAULTS}  # nothing lasting by default


def test_the_profile_as_it_was_at_the_start_is_kept_beside_it(cleo: Learner, store: ProfileStore) -> None:
    before = store.path("cleo").read_bytes()
    react(cleo, "too-fast", "too-dark")
    backup = store.folder / "cleo.backup.yaml"
    assert backup.read_bytes() == before != store.path("cleo").read_bytes()
    assert backup.stat().st_mode & 0o077 == 0
    assert store.names() == ("cleo",)
    assert store.list_damaged() == ()
    store.delete("cleo")
    assert not backup.exists()


def test_what_a_full_disk_did_not_take_is_kept_when_there_is_room(
    cleo: Learner, store: ProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr("kelly_live.profiles.store.write_atomically", refuse_to_write)
        react(cleo, *["too-fast"] * 4)
        assert store.load("cleo").count == 1
        assert cleo.problem is not None
        assert [line for line in cleo.take_lines() if "not kept yet" in line] == [
            "cleo: not kept yet (cannot write: the disk is full); it will be, as soon as it can"
        ]
    react(cleo, "too-loud", "too-loud")
    assert store.load("cleo").count == 7
    assert [line for line in cleo.take_lines() if "kept now" in line] == ["cleo: 4 changes kept now"]
    assert cleo.problem is None


def test_it_is_tried_again_without_another_word_and_at_the_end(
    store: ProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = Learner(store, LearnedMapper(NET), store.load("cleo"))
    with monkeypatch.context() as full:
        full.setattr("kelly_live.profiles.store.write_atomically", refuse_to_write)
        react(learner, "too-fast", "like", "undo")
    learner.close()
    assert store.load("cleo").count == 2


def refuse_to_write(*arguments: object, **options: object) -> None:
    raise OutputError("cannot write: the disk is full")


def test_a_default_profile_that_is_gone_is_called_the_default_and_live_plays_on(
    store: ProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kelly_live.profiles.store.user_folder", lambda: store.folder)
    store.use("cleo")
    store.path("cleo").unlink()
    lines: list[str] = []
    with pytest.raises(ConfigError, match=r"your default profile.*'cleo'.*profile use none.*--profile none") as error:
        load_profile(None, lines.append)
    assert "\n" not in str(error.value)
    assert load_profile(None, lines.append, is_optional=True) is None
    (line,) = lines
    assert line.endswith("playing for no profile")
    assert load_profile("none") is None
    with pytest.raises(ConfigError, match="no profile is called 'cleo'"):
        load_profile("cleo", is_optional=True)


@pytest.mark.parametrize("field", ["culture", "preset"])
@pytest.mark.parametrize("text", ["../../../etc/passwd", "/etc/passwd", "..", "a/b", "C:\\x", ".hidden", "x\x00y", "~"])
def test_a_profile_that_names_a_path_is_refused_where_it_is_imported(
    store: ProfileStore, field: str, text: str
) -> None:
    data = store.path("cleo").read_bytes().replace(b"created:", f"{field}: {text!r}\ncreated:".encode())
    with pytest.raises(ConfigError):
        from_yaml(data, "shared.yaml")


def test_the_command_line_takes_the_last_reaction_back_too(
    store: ProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kelly_live.profiles.store.user_folder", lambda: store.folder)
    assert (
        CliRunner().invoke(profile_command, ["undo", "cleo"]).output.startswith("cleo: the last reaction is taken back")
    )
    assert store.load("cleo").count == 0
    assert "there is no reaction to take back" in str(CliRunner().invoke(profile_command, ["undo", "cleo"]).exception)
