"""The coming bars: what is shown is what is played then, and to look changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from kelly_live.core.sync_state import PlayerNote, SyncState
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.engine.coming_bars import ComingBars, ComingBarsPreview
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.builtin.bass import BassGenerator
from kelly_live.generators.builtin.melody import MelodyGenerator
from kelly_live.generators.builtin.melody_neural import NeuralMelodyGenerator
from kelly_live.generators.effects.registry import create_effect
from kelly_live.generators.lineup import PlayerSlot
from kelly_live.generators.plugin_generator import PluginGenerator
from kelly_live.music.conductor import LIVE_SLICE_BEATS, Conductor
from tests.generators.test_plugin_effect import make_effect, run_of
from tests.generators.test_plugin_generator import DESCRIPTOR, ScriptedRun
from tests.music.band import RecordingSink, built_in, make_parameters

STEP_SECONDS = 0.01
BPM, BAR_SECONDS = 120.0, 2.0
FEEL_BEATS = 0.25  # a note is played a little beside its beat, so beside the slice that it belongs to


class Session:
    """A conductor that is stepped as a live session steps it, with somebody who looks ahead or without."""

    def __init__(self, band: GeneratorBand, parameters: MusicParameters, *, looks: bool = True) -> None:
        self.sink = RecordingSink()
        self.conductor = Conductor(self.sink, band, seed=4, slice_beats=LIVE_SLICE_BEATS)
        self.preview = ComingBarsPreview(self.conductor)
        self.shown: list[tuple[float, ComingBars]] = []
        self.now, self._looks = 0.0, looks
        self.conductor.start(0.0, parameters)

    def play(self, seconds: float, parameters: MusicParameters, player: Sequence[PlayerNote] = ()) -> None:
        """Go on for some seconds, beside these notes of a player; what is newly shown is kept with its time."""
        end = self.now + seconds
        while self.now < end:
            known = tuple(note for note in player if self.now - 1.0 < note.seconds <= self.now - 0.05)
            self.conductor.advance(self.now, parameters, SyncState(notes=known))
            self.preview.step(parameters, is_shown=self._looks)
            coming = self.preview.coming
            if coming is not None and (not self.shown or coming is not self.shown[-1][1]):
                self.shown.append((self.now, coming))
            self.now += STEP_SECONDS


def create_band() -> GeneratorBand:
    """The built-in players, with effects that hold notes."""
    effects = (create_effect("echo", {}), create_effect("humanizer", {}))
    players = [PlayerSlot.from_generator(player) for player in built_in() if not isinstance(player, MelodyGenerator)]
    melody = MelodyGenerator()
    return GeneratorBand([*players, PlayerSlot(melody, "melody", 3, 0, effects=effects)])


def create_neural_band() -> GeneratorBand:
    others = [player for player in built_in() if not isinstance(player, MelodyGenerator)]
    return GeneratorBand([NeuralMelodyGenerator(), *others])


def describe(notes: Sequence[NoteEvent], start: float, end: float) -> list[NoteEvent]:
    return sorted(
        (note for note in notes if start <= note.onset_beats < end),
        key=lambda note: (note.onset_beats, note.part, note.pitch),
    )


@pytest.mark.parametrize("create", [create_band, create_neural_band])
def test_what_is_shown_is_played_and_to_look_changes_no_note(create: object) -> None:
    assert callable(create)
    parameters = make_parameters(bpm=BPM, groove="rock", density=1.6)
    looking, alone = (Session(create(), parameters, looks=looks) for looks in (True, False))
    for session in (looking, alone):
        session.play(6 * BAR_SECONDS, parameters)
    assert looking.sink.notes == alone.sink.notes
    assert looking.sink.tempos == alone.sink.tempos
    assert not alone.shown
    assert len(looking.shown) >= 6
    for _, coming in looking.shown[:4]:
        start, end = coming.start_beat + FEEL_BEATS, coming.end_beat - FEEL_BEATS
        assert describe(coming.notes, start, end) == describe(looking.sink.notes, start, end)


def test_a_note_is_shown_a_bar_before_it_sounds() -> None:
    parameters = make_parameters(bpm=BPM)
    session = Session(create_band(), parameters)
    session.play(6 * BAR_SECONDS, parameters)
    for note in session.sink.notes:
        if 3 * 4 <= note.onset_beats < 6 * 4:
            first = next(now for now, coming in session.shown if note in coming.notes)
            assert session.conductor.seconds_at(note.onset_beats) - first >= BAR_SECONDS


def test_a_player_who_plays_is_expected_to_play_on() -> None:
    """The tune leaves him space in the bars to come, as it does in this one."""
    parameters = make_parameters(bpm=BPM)
    eighths = [PlayerNote(0.25 * number, 60 + 5 * number % 12, 90) for number in range(48)]
    session = Session(GeneratorBand(built_in()), parameters)
    session.play(5 * BAR_SECONDS, parameters, eighths)
    _, coming = session.shown[2]
    start, end = coming.start_beat + FEEL_BEATS, coming.end_beat - FEEL_BEATS
    tunes = [
        [n for n in describe(notes, start, end) if n.part == "melody"] for notes in (coming.notes, session.sink.notes)
    ]
    assert len(tunes[0]) < 6
    assert tunes[0] == tunes[1]


def test_the_chords_are_shown_at_their_beats() -> None:
    parameters = make_parameters(bpm=BPM)
    session = Session(create_band(), parameters)
    session.play(1.0, parameters)
    ((_, coming),) = session.shown
    assert (coming.start_beat, coming.end_beat) == (0.25, 12.0)
    session.play(4 * BAR_SECONDS, parameters)
    assert session.conductor.phrase is not None
    for beat, name in coming.chords:
        if session.conductor.phrase.start_beat <= beat:
            assert session.conductor.phrase.span_at(beat).chord.name == name
    assert len(coming.chords) >= 3


def test_a_turn_of_the_feeling_shows_other_bars_at_once() -> None:
    calm, wild = (make_parameters(bpm=BPM, floor=a, ceiling=b, density=c) for a, b, c in ((0.2, 0.3, 0.6), (0.7, 1, 2)))
    session = Session(create_band(), calm)
    session.play(2.5 * BAR_SECONDS, calm)
    before = session.shown[-1][1]
    session.play(0.45 * BAR_SECONDS, wild)
    loudest = [max(note.velocity for note in coming.notes) for coming in (before, session.shown[-1][1])]
    assert loudest[1] > 1.5 * loudest[0]


def test_nothing_is_shown_after_nobody_looks_or_the_music_is_over() -> None:
    parameters = make_parameters(bpm=BPM)
    session = Session(create_band(), parameters)
    session.play(BAR_SECONDS, parameters)
    assert session.preview.coming is not None
    session.preview.step(parameters, is_shown=False)
    assert session.preview.coming is None
    session.play(BAR_SECONDS, parameters)
    assert session.preview.coming is not None
    session.conductor.finish(session.now)
    session.preview.step(parameters)
    assert session.preview.coming is None


class LockedPlayer(MelodyGenerator):
    """It holds what no copy can have."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


def test_a_player_that_cannot_be_copied_is_said_and_plays_on() -> None:
    parameters = make_parameters(bpm=BPM)
    session = Session(GeneratorBand([LockedPlayer()]), parameters)
    session.play(2 * BAR_SECONDS, parameters)
    assert session.preview.coming is None
    assert "the coming bars can't be shown" in str(session.preview.problem)
    assert len(session.sink.notes) > 3


def create_external_band(player: ScriptedRun, effect: ScriptedRun) -> GeneratorBand:
    """A player elsewhere, one with an effect elsewhere, and one of our own."""
    melody = PlayerSlot(MelodyGenerator(), "melody", 3, 0, effects=(make_effect(effect),))
    return GeneratorBand(
        [PluginGenerator(DESCRIPTOR, player, lambda state: player, waits=True), melody, BassGenerator()]
    )


def test_what_runs_in_a_process_is_left_out_and_is_not_asked() -> None:
    parameters = make_parameters(bpm=BPM)
    runs = [(ScriptedRun(), run_of()) for _ in range(2)]
    looking, alone = (
        Session(create_external_band(*own_runs), parameters, looks=looks)
        for looks, own_runs in zip((True, False), runs, strict=True)
    )
    for session in (looking, alone):
        session.play(3 * BAR_SECONDS, parameters)
    assert looking.sink.notes == alone.sink.notes
    assert {note.part for note in looking.sink.notes} == {"elsewhere", "melody", "bass"}
    assert {note.part for _, coming in looking.shown for note in coming.notes} == {"bass"}
    assert [run.spans for run in runs[0]] == [run.spans for run in runs[1]]
