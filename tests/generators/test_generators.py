"""The built-in players one by one: cut anywhere, the same notes; and what makes their lines music."""

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.values import MODES, RHYTHMS, NoteEvent
from kelly_live.generators.base import Descriptor, Generator
from kelly_live.music.conductor import Conductor
from kelly_live.music.context import MusicContext
from kelly_live.music.forms import PRESENTATION
from kelly_live.music.harmony import plan_phrase
from kelly_live.music.theory import Key, build_mode_scale
from tests.music.band import RecordingSink, assert_cut_anywhere_the_same, band, built_in, make_parameters, play_piece

PLAYERS: Sequence[Generator] = built_in()


def moment(
    seed: int = 3, index: int = 1, mode: str = "ionian", rhythm: str = "straight", per_bar: int = 4
) -> MusicContext:
    key = Key(2, build_mode_scale(mode))
    phrase = plan_phrase(seed, index, key, start_bar=4 * index, beats_per_bar=per_bar, busy=True)
    return MusicContext(seed=seed, phrase=phrase, rhythm=rhythm, bpm=100.0)


@settings(max_examples=60, deadline=None)
@given(
    player=st.sampled_from(PLAYERS),
    cuts=st.lists(st.floats(0.0, 1.0), max_size=6),
    seed=st.integers(0, 500),
    index=st.integers(0, 9),
    density=st.floats(0.0, 3.0),
    mode=st.sampled_from(MODES),
    rhythm=st.sampled_from(RHYTHMS),
    per_bar=st.integers(2, 7),
)
def test_short_slices_and_long_ones_give_the_same_notes(
    player: Generator, cuts: list[float], seed: int, index: int, density: float, mode: str, rhythm: str, per_bar: int
) -> None:
    context = moment(seed, index, mode, rhythm, per_bar)
    parameters = make_parameters(density=density)
    assert_cut_anywhere_the_same(player, parameters, context, cuts)


@pytest.mark.parametrize("player", PLAYERS, ids=lambda p: p.descriptor.name)
def test_new_parameters_count_from_the_next_slice(player: Generator) -> None:
    context = moment(index=0)
    quiet, loud = (
        make_parameters(floor=0.05, ceiling=0.1, density=2.0),
        make_parameters(floor=0.8, ceiling=0.9, density=2.0),
    )
    notes = [*player.generate(quiet, context, 0.0, 5.25), *player.generate(loud, context, 5.25, 16.0)]
    assert max(n.velocity for n in notes if n.onset_beats < 5.25) < min(
        n.velocity for n in notes if n.onset_beats >= 5.25
    )
    assert [n.onset_beats for n in notes] == [n.onset_beats for n in player.generate(loud, context, 0.0, 16.0)]


def test_everyone_has_a_channel_of_their_own() -> None:
    assert Counter(p.descriptor.channel for p in PLAYERS) == Counter({1: 1, 2: 1, 3: 1, 10: 1})
    for note in play_piece(make_parameters()).notes:
        assert note.channel == {"chords": 1, "bass": 2, "melody": 3, "percussion": 10}[note.part]


class Piece:
    """A played piece with the chords it was played over."""

    def __init__(self, seed: int, density: float = 1.0, mode: str = "ionian", bars: int = 33) -> None:
        sink = RecordingSink()
        self.contexts: list[MusicContext] = []
        listener = _Listener(self.contexts)
        Conductor(sink, band(listener), seed=seed, tonic=0, length_bars=bars).play_through(
            make_parameters(density=density, mode=mode)
        )
        self.sink = sink

    def chord_classes(self, beat: float) -> set[int]:
        context = next(c for c in self.contexts if c.phrase.start_beat <= beat < c.phrase.end_beat)
        return set(context.chord_at(beat).pitch_classes)


class _Listener:
    descriptor = Descriptor("listener", "listener", 16, 0)

    def __init__(self, contexts: list[MusicContext]) -> None:
        self.contexts = contexts

    def generate(
        self, parameters: object, context: MusicContext, start_beat: float, end_beat: float
    ) -> list[NoteEvent]:
        if not self.contexts or self.contexts[-1].phrase is not context.phrase:
            self.contexts.append(context)
        return []

    def reset(self) -> None:
        """Nothing is remembered."""


@pytest.mark.parametrize("mode", ["ionian", "aeolian", "dorian", "phrygian"])
def test_the_melody_sings(mode: str) -> None:
    """The melody has chord tones on strong beats, small intervals and breaths.

    Chord tones on three strong beats of four, as people have them (POP909 .74); steps and thirds, few leaps (over a
    fifth: POP909 .03, 10 to 90 % .008 to .076); a breath about the end of each phrase, before an upbeat or after it.
    """
    strong: list[bool] = []
    intervals: list[int] = []
    breaths: list[float] = []
    for seed in range(5):
        piece = Piece(seed, density=1.5, mode=mode)
        melody = piece.sink.part("melody")
        for note in melody:
            beat = round(note.onset_beats * 4) / 4
            if beat % 2 == 0:
                strong.append(note.pitch % 12 in piece.chord_classes(beat))
        intervals += [abs(a.pitch - b.pitch) for a, b in itertools.pairwise(melody)]
        for end in (c.phrase.end_beat for c in piece.contexts if c.phrase.role.build != PRESENTATION):
            around = [n for n in melody if end - 6.5 < n.onset_beats < end + 2.0]
            gaps = [b.onset_beats - a.onset_beats - a.duration_beats for a, b in itertools.pairwise(around)]
            breaths += [max(gaps)] if end < 4.0 * 33 else []
    assert 0.64 < statistics.mean(strong) < 0.84
    assert statistics.mean(i <= 2 for i in intervals) > 0.6
    assert statistics.mean(i > 7 for i in intervals) < 0.05
    assert statistics.mean(i == 0 for i in intervals) < 0.35
    assert min(breaths) > 0.85


def test_the_motif_returns() -> None:
    """The first bars of A, A' and A'' share their rhythm; those of B do not, for nearly every seed.

    Where A and A' are a sentence, A' breaks the idea up.
    """
    returned, contrasted = [], []
    for seed in range(8):
        piece = Piece(seed, density=1.3, bars=17)
        is_sentence = piece.contexts[0].phrase.role.build == PRESENTATION

        def list_first_onsets(number: int, piece: Piece = piece) -> list[float]:
            start = piece.contexts[number].phrase.start_beat
            onsets = [round(4 * note.onset_beats) / 4 - start for note in piece.sink.part("melody")]
            return [onset for onset in onsets if -0.2 < onset < 7.8]

        returned.append(list_first_onsets(0) == list_first_onsets(3))
        assert is_sentence or list_first_onsets(0) == list_first_onsets(1)
        contrasted.append(list_first_onsets(0) != list_first_onsets(2))
    assert all(returned)
    assert statistics.mean(contrasted) >= 0.75


def test_the_answer_ends_on_the_tonic() -> None:
    for seed in range(6):
        melody = play_piece(make_parameters(density=1.5), seed=seed, bars=33).part("melody")
        closing = [n for n in melody if 26.0 < n.onset_beats < 34.0]
        # The note before the breath, which an upbeat may follow.
        resting = max(itertools.pairwise(closing), key=lambda pair: pair[1].onset_beats - pair[0].onset_beats)[0]
        assert resting.pitch % 12 == 0


def test_the_bass_plays_the_root_where_the_chord_changes() -> None:
    piece = Piece(4, density=2.0)
    for context in piece.contexts:
        for span in context.phrase.spans:
            note = min(piece.sink.part("bass"), key=lambda n: abs(n.onset_beats - span.start_beat))
            assert abs(note.onset_beats - span.start_beat) < 0.1
            assert note.pitch % 12 == span.chord.pitch_classes[0]


def test_parts_keep_to_their_floors() -> None:
    for seed in range(4):
        sink = play_piece(make_parameters(density=2.0, centre=72.0), seed=seed)
        means = {p: statistics.mean(n.pitch for n in sink.part(p)) for p in ("bass", "chords", "melody")}
        assert means["bass"] + 8 < means["chords"] < means["melody"] - 6


def test_chords_are_broken_where_it_is_calm_and_struck_where_it_is_lively() -> None:
    """Hardly fewer onsets; more notes at once where density is high, longer ones where it is low."""

    def measure(density: float) -> tuple[int, float, float]:
        notes = [
            (seed, n)
            for seed in range(4)
            for n in play_piece(make_parameters(density=density), seed=seed).part("chords")
        ]
        onsets = {(seed, round(4 * n.onset_beats)) for seed, n in notes}
        return len(onsets), len(notes) / len(onsets), statistics.mean(n.duration_beats for _, n in notes)

    calm, lively = measure(0.5), measure(1.5)
    assert calm[0] > 0.65 * lively[0]
    assert calm[1] < 0.85 * lively[1]
    assert calm[2] > 1.2 * lively[2]


def test_the_melody_leads_home_by_the_leading_tone_of_minor() -> None:
    for seed in range(4):
        piece = Piece(seed, density=2.0, mode="aeolian")
        for note in piece.sink.part("melody"):
            beat = round(note.onset_beats * 4) / 4
            # A note off the beat may anticipate the next chord.
            chords = [piece.chord_classes(beat), piece.chord_classes(math.ceil(beat))]
            dominants = [chord >= {7, 11} for chord in chords]
            assert (note.pitch % 12 == 11) <= any(dominants)
            assert (note.pitch % 12 == 10) <= (not all(dominants))


def test_no_voice_sounds_one_pitch_twice_at_once() -> None:
    for rhythm in RHYTHMS:
        sink = play_piece(make_parameters(density=2.5, rhythm=rhythm))
        for part in ("chords", "bass", "melody"):
            ends: dict[int, float] = {}
            for note in sorted(sink.part(part), key=lambda n: n.onset_beats):
                assert note.onset_beats >= ends.get(note.pitch, 0.0) - 0.03
                ends[note.pitch] = note.onset_beats + note.duration_beats


def test_calm_music_has_no_drums_and_lively_music_the_kit() -> None:
    for density in (0.05, 0.2, 0.4):
        assert play_piece(make_parameters(density=density)).part("percussion") == []
    assert {n.pitch for n in play_piece(make_parameters(density=1.1)).part("percussion")} >= {36, 38, 42}


def test_drums_fill_into_a_new_phrase() -> None:
    piece = Piece(3, density=2.0)
    toms = [n.onset_beats for n in piece.sink.part("percussion") if n.pitch in (45, 47, 50)]
    ends = [context.phrase.end_beat for context in piece.contexts]
    assert toms
    assert all(any(end - 2.1 <= beat < end for end in ends) for beat in toms)
