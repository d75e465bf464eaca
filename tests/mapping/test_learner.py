"""Learning while playing: reactions reach the file and the music, and nobody waits for it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kelly_live.audio.sources import ScriptedSource
from kelly_live.core.emotion_space import create_state
from kelly_live.core.resources import find_resources
from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import AudioWindow, EmotionState
from kelly_live.engine.offline import accompany
from kelly_live.engine.override import OverrideStage
from kelly_live.engine.performance import Performance
from kelly_live.mapping import learner as module
from kelly_live.mapping.learner import Learner
from kelly_live.mapping.mapper import LearnedMapper
from kelly_live.mapping.net import load_mapper_net
from kelly_live.mapping.profile_taste import learn_profile
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.profiles.profile import Profile, new_profile
from kelly_live.profiles.store import ProfileStore
from tests.engine.test_session import RATE, band
from tests.mapping.test_mapper import bright
from tests.profiles.sample import NOW, make_preference

SAD = create_state(emotion="sad")


@pytest.fixture
def mapper() -> LearnedMapper:
    return LearnedMapper(load_mapper_net(find_resources("models")))


@pytest.fixture
def store(tmp_path: Path, mapper: LearnedMapper) -> ProfileStore:
    """Anna wants sad music slow, Bert fast; Cleo has said nothing."""
    store = ProfileStore(tmp_path / "profiles")
    for name, bpm in (("anna", 55.0), ("bert", 120.0)):
        profile = (
            new_profile(name, NOW)
            .with_reaction(make_preference("tempo", bpm))
            .with_reaction(make_preference("tempo", bpm))
        )
        store.create(learn_profile(mapper.net, profile))
    store.create(new_profile("cleo", NOW))
    return store


Made = Iterator["Learner"]


@pytest.fixture
def cleo(store: ProfileStore, mapper: LearnedMapper) -> Made:
    learner = Learner(store, mapper, store.load("cleo"))
    yield learner
    learner.close()


@pytest.mark.parametrize(("word", "emotion"), [("too-dark", "sad"), ("too-bright", "happy")])
def test_reactions_move_even_a_clear_mode(cleo: Learner, mapper: LearnedMapper, word: str, emotion: str) -> None:
    """The base plays sad nearly all minor and happy major; five words take that back, half-way or further."""
    state = create_state(emotion=emotion)
    far = bright(mapper(state)) if emotion == "happy" else 1.0 - bright(mapper(state))
    assert far > 0.95
    for _ in range(5):
        cleo.react(word, state)
        cleo.wait_until_learned()
    assert 0.25 < bright(mapper(state)) < 0.85


def test_reactions_are_saved_and_played(cleo: Learner, store: ProfileStore, mapper: LearnedMapper) -> None:
    base = mapper(SAD).tempo.suggested
    assert cleo.react("too-fast", SAD) == "too-fast: noted for cleo"
    cleo.wait_until_learned()
    once = mapper(SAD).tempo.suggested
    assert once < base
    (line,) = cleo.take_lines()
    assert line.startswith(f"too-fast: cleo's sad: tempo {base:.0f} → ")
    assert cleo.remark == "for cleo (1 said)"
    cleo.react("too-fast", SAD)
    cleo.react("more-like-this", SAD)
    cleo.wait_until_learned()
    assert mapper(SAD).tempo.suggested < once
    saved_profile = store.load("cleo")
    assert [(one.kind, one.state.emotion) for one in saved_profile.reactions] == [
        ("too-fast", "sad"), ("too-fast", "sad"), ("more-like-this", "sad"),
    ]  # fmt: skip
    assert saved_profile.reactions[0].played[0] == pytest.approx(base, abs=0.01)
    assert saved_profile.reactions[1].played[0] == pytest.approx(once, abs=0.01)  # what was played when it was said
    assert saved_profile.learned_from == saved_profile.count == 3


def test_a_reaction_without_a_profile_says_how_to_create_one(store: ProfileStore, mapper: LearnedMapper) -> None:
    learner = Learner(store, mapper, None)
    before = mapper(SAD)
    assert learner.react("too-fast", SAD) == f"too-fast: {module.HOW_TO}"
    assert learner.remark is None
    learner.suggest_offset("valence", 0.2)
    learner.wait_until_learned()
    assert mapper(SAD) == before
    assert learner.turn(1) == "for anna from now on"
    learner.close()


def test_reactions_beyond_the_queue_are_refused_without_waiting(
    store: ProfileStore, mapper: LearnedMapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    learner = Learner(store, mapper, store.load("cleo"))
    with store._hold_lock():  # another process holds the profiles: learning has to wait, the performer has not
        answers = [learner.react("like", SAD) for _ in range(5)]
    assert answers[-1] == "like: too much at once, not noted"
    learner.wait_until_learned()
    assert store.load("cleo").count == sum("noted for" in answer for answer in answers) < 5
    learner.close()


def test_a_missing_file_is_reported_and_the_session_learns_on(
    cleo: Learner, store: ProfileStore, mapper: LearnedMapper
) -> None:
    base = mapper(SAD).tempo.suggested
    store.delete("cleo")
    cleo.react("too-fast", SAD)
    cleo.wait_until_learned()
    assert cleo.problem is not None
    assert "no profile is called 'cleo'" in cleo.problem
    assert mapper(SAD).tempo.suggested < base


def test_a_nudge_is_noted_and_moves_no_music(cleo: Learner, store: ProfileStore, mapper: LearnedMapper) -> None:
    before = mapper(SAD)
    for _ in range(3):
        cleo.suggest_offset("valence", 0.3)
    cleo.wait_until_learned()
    assert store.load("cleo").hints.counts == (3, 0, 0)
    assert mapper(SAD) == before


def test_the_next_profile_goes_round(store: ProfileStore, mapper: LearnedMapper) -> None:
    profiles: list[Profile] = []
    learner = Learner(store, mapper, store.load("anna"), on_profile=profiles.append)
    learner.react("like", SAD)  # still anna's, though it is learned after the turn was asked for
    assert [learner.turn(1), learner.turn(1), learner.turn(1), learner.turn(-1)] == [
        f"for {name} from now on" for name in ("bert", "cleo", "anna", "cleo")
    ]
    learner.wait_until_learned()
    assert [profile.name for profile in profiles] == ["anna", "bert", "cleo", "anna", "cleo"]
    assert (store.load("anna").count, store.load("bert").count) == (3, 2)
    learner.close()


def test_an_unreadable_profile_is_reported_and_the_previous_one_stays(
    store: ProfileStore, mapper: LearnedMapper
) -> None:
    learner = Learner(store, mapper, store.load("anna"))
    before = mapper(SAD)
    store.path("bert").write_bytes(b"format: [")
    learner.turn(1)
    learner.wait_until_learned()
    assert learner.remark is not None
    assert learner.remark.startswith("for anna (2 said), the profile 'bert' is damaged")
    assert mapper(SAD) == before
    assert learner.turn(1) == "for cleo from now on"
    learner.wait_until_learned()
    assert learner.remark == "for cleo (0 said)"
    learner.close()


# ---------------------------------------------------------------- two people, one session


class SteadilySad:
    """An EmotionReader that hears the same sadness in everything."""

    sample_rate, hop_seconds = RATE, 0.25

    def __init__(self) -> None:
        self._sample_count = 0

    def push(self, block: AudioWindow) -> list[EmotionState]:
        hop, before = int(self.hop_seconds * RATE), self._sample_count
        self._sample_count += len(block.samples)
        return [SAD] * (self._sample_count // hop - before // hop)

    def reset(self) -> None: ...

    def close(self) -> None: ...


def perform(
    mapper: LearnedMapper, store: ProfileStore, *, turns_at: float | None, seconds: float = 24.0
) -> Performance:
    """Sad music for Anna, and from `turns_at` on for Bert."""
    learner = Learner(store, mapper, None)
    learner.turn(1)
    learner.wait_until_learned()
    scheduler, turns = OfflineScheduler(), []

    def on_progress(position: float) -> None:
        if turns_at is not None and position >= turns_at and not turns:
            turns.append(learner.turn(1))
            learner.wait_until_learned()

    source = ScriptedSource(np.zeros(int(seconds * RATE), np.float32), ManualClock())
    stage = OverrideStage(mapper, SAD)
    performance = accompany(source, SteadilySad(), stage, band(scheduler), scheduler, on_progress)
    learner.close()
    return performance


def test_changing_the_profile_leaves_no_gap_and_doubles_no_note(mapper: LearnedMapper, store: ProfileStore) -> None:
    anna = perform(mapper, store, turns_at=None)
    both = perform(mapper, store, turns_at=10.0)

    def onsets(performance: Performance) -> list[float]:
        return sorted(performance.tempo_map.seconds_at(note.onset_beats) for note in performance.notes)

    def longest_gap(times: list[float], start: float, end: float) -> float:
        inside = [time for time in times if start <= time <= end]
        return max(b - a for a, b in zip([start, *inside], [*inside, end], strict=True))

    # Until the turn it is Anna's music, note for note; what was handed over already is played.
    early = [note for note in both.notes if both.tempo_map.seconds_at(note.onset_beats) < 10.0]
    assert early
    assert early == [note for note in anna.notes if anna.tempo_map.seconds_at(note.onset_beats) < 10.0]
    # After it, Bert's: the tempo is on its way to his.
    assert both.tempo_map.bpm > 1.3 * anna.tempo_map.bpm
    # No gap longer than Anna's own slow music has, or a breath; and no note beside itself.
    assert longest_gap(onsets(both), 8.0, 20.0) <= max(longest_gap(onsets(anna), 2.0, 20.0) + 1e-6, 1.0)
    keys = sorted((n.channel, n.pitch, n.onset_beats, n.duration_beats) for n in both.notes)
    twice = [(a, b) for a, b in itertools.pairwise(keys) if a[:2] == b[:2] and b[2] - a[2] < 0.05]
    assert not twice
