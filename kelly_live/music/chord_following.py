"""How the band takes the chords of a player: a phrase keeps its place and key, and its chords are the player's.

Pure and clock-free, as `synchronization.py` is. A chord that the player is expected to change to is taken when that is
due; one that was not expected, as soon as it is certain or has lasted. On each beat the chord that is probable there is
taken (`chord_prediction.py`); where none is, the band plays the tones that the probable ones share, until it has heard
the player's. What is not certain for long is played without its third, which fits major and minor. Where nothing was
certain for some beats (speech, a drum solo, two keys at once), no moment of certainty is believed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.sync_state import CHORD_QUALITIES, ChordChange, ChordEstimate
from kelly_live.music.chord_prediction import CHORDS, ChordPredictor, build_tone_table
from kelly_live.music.harmony import ChordChoice, Phrase, replace_chords
from kelly_live.music.synchronization import JOIN_CONFIDENCE, RELEASE_CONFIDENCE
from kelly_live.music.theory import NOTE_NAMES, Chord, Key, fit_chord, fit_tones

_CERTAIN = 0.8  # a new chord with this confidence is taken at once,
_LASTING_BEATS = 0.5  # a less certain one after this long
_HOLD_BEATS = 1.0  # for this long after an expected change, the chord before it is not taken back
_DOUBT_BEATS = 2.0  # after so much doubt the third is left out
_TRUST_BEATS = 4.0  # the time constant of the mean certainty that makes the source one of chords,
_TRUST = 0.4  # and how much that is; speech reaches .32, a drum kit .25, clipped music .70, clean music .94
_LOST_BEATS = 8.0  # and after so much without any chord, the band plays its own
_GRID_BEATS = 0.5  # expected changes fall on half beats
_SAFE = 0.7  # a tone that lies in the coming chord with this probability is played before that is heard
_LIKELY = 0.6  # a chord with this probability is played whole
_LIKELY_IN_LOOP = 0.4  # or with this one, where the source's own loop says the same
_MOST_SKIPPED = 16  # beats
_TONES = build_tone_table()
_UNHEARD = np.full(CHORDS, 1.0 / CHORDS)

_Name = tuple[int, str]  # a root and a quality


@dataclass(frozen=True, slots=True)
class FollowedChords:
    """The chord that is followed, and what its next change depends on.

    `name` is its root and quality; None: the band plays its own chords. `other` has been heard instead since beat
    `since`. `doubted_since` and `lost_since`: the beat from which the chord is uncertain, or none is heard; None where
    that is not so. `held` is not taken back before `held_until`. `expected` are the changes to come, as beats and
    chords. `trust`: the mean certainty of late, 0 to 1.
    """

    beat: float = 0.0
    name: _Name | None = None
    other: _Name | None = None
    since: float = 0.0
    doubted_since: float | None = None
    lost_since: float | None = None
    held: _Name | None = None
    held_until: float = 0.0
    expected: tuple[tuple[float, _Name], ...] = ()
    trust: float = _TRUST

    @property
    def is_doubtful(self) -> bool:
        """Whether the chord is played without its third."""
        return self.doubted_since is not None and self.beat - self.doubted_since >= _DOUBT_BEATS

    def step(self, beat: float, seconds: float, bpm: float, estimate: ChordEstimate | None) -> FollowedChords:
        """Return the state at a later `beat`, which falls at `seconds` at tempo `bpm`."""
        state = self._weigh(beat, 0.0 if estimate is None else estimate.confidence)
        if estimate is None or estimate.confidence < RELEASE_CONFIDENCE:
            lost_since = beat if self.lost_since is None else self.lost_since
            if self.name is None or beat - lost_since >= _LOST_BEATS:
                return FollowedChords(beat, trust=state.trust)
            return replace(state, other=None, lost_since=lost_since, expected=())
        state = replace(state, lost_since=None)._take_due(beat)
        chord = (estimate.chord.root, estimate.chord.quality)
        certainty = estimate.confidence if state.trust >= _TRUST else 0.0
        expected = _place_changes(beat, seconds, bpm, estimate.expected)
        doubted_since = beat if state.doubted_since is None else state.doubted_since
        if chord == state.name:
            doubt = None if certainty >= JOIN_CONFIDENCE else doubted_since
            return replace(state, other=None, doubted_since=doubt, expected=expected)
        if chord == state.held and beat < state.held_until:
            return state
        since = state.since if chord == state.other else beat
        lasts = beat - since >= _LASTING_BEATS
        if certainty >= JOIN_CONFIDENCE and (certainty >= _CERTAIN or lasts or state.name is None):
            return FollowedChords(beat, chord, expected=expected, trust=state.trust)
        return replace(state, other=chord, since=since, doubted_since=doubted_since, expected=expected)

    def _weigh(self, beat: float, certainty: float) -> FollowedChords:
        """Return the state at `beat` with what this certainty adds to the trust."""
        share = -math.expm1((self.beat - beat) / _TRUST_BEATS) if beat > self.beat else 0.0
        return replace(self, beat=beat, trust=self.trust + share * (certainty - self.trust))

    def take(self, name: _Name) -> FollowedChords:
        """Return the state in which a predicted chord has been taken now."""
        if name == self.name:
            return self
        return replace(self, name=name, other=None, held=self.name, held_until=self.beat + _HOLD_BEATS)

    def _take_due(self, beat: float) -> FollowedChords:
        """Take the expected change that is due."""
        due = [name for at, name in self.expected if at <= beat]
        if not due or due[-1] == self.name:
            return self
        left = tuple((at, name) for at, name in self.expected if at > beat)
        return FollowedChords(
            beat, due[-1], held=self.name, held_until=beat + _HOLD_BEATS, expected=left, trust=self.trust
        )


def _place_changes(
    beat: float, seconds: float, bpm: float, changes: tuple[ChordChange, ...]
) -> tuple[tuple[float, _Name], ...]:
    """Return the changes after `beat`, on half beats."""
    placed = ((beat + (change.seconds - seconds) * bpm / 60.0, (change.root, change.quality)) for change in changes)
    on_grid = ((round(at / _GRID_BEATS) * _GRID_BEATS, name) for at, name in placed)
    return tuple((at, name) for at, name in on_grid if at > beat)


class ChordFollower:
    """Puts the chords that are followed in place of a phrase's own. Thread: the conductor's."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard."""
        self._state = FollowedChords()
        self._own: Phrase | None = None
        self._past: list[ChordChoice] = []  # of this phrase
        self._changes: list[ChordChoice] = []  # those, and what is expected
        self._played: Phrase | None = None
        self._predictor = ChordPredictor()
        self._open_tones: tuple[int, ...] = ()  # that are played until the chord is heard

    @property
    def is_synchronized(self) -> bool:
        """Whether the band plays somebody else's chords."""
        return self._state.name is not None

    def follow(self, phrase: Phrase, beat: float, seconds: float, bpm: float, estimate: ChordEstimate | None) -> Phrase:
        """Return the phrase as it is played from `beat` on, which falls at `seconds` at tempo `bpm`.

        It is the same object for as long as nothing is new.
        """
        before, self._state = self._state, self._state.step(beat, seconds, bpm, estimate)
        if self._state.name != before.name:
            self._open_tones = ()
        if (beats := math.floor(beat) - math.floor(before.beat)) > 0:
            self._predict(phrase.key, beats, _weigh_chords(estimate))
        if phrase is not self._own:
            self._own, self._played = phrase, None
            self._past = [change for change in self._past if change[0] >= phrase.start_beat]
        chord = self._open(phrase.key) or self._fit(phrase.key, self._state.name)
        if not self._past or self._past[-1][1] != chord:
            self._past.append((beat if self._past else phrase.start_beat, chord))
        expected = [(at, self._fit(phrase.key, name)) for at, name in self._state.expected if at < phrase.end_beat]
        changes = [*self._past, *expected]
        if self._played is None or changes != self._changes:
            self._changes = changes
            self._played = replace_chords(phrase, changes)
        return self._played

    def _predict(self, key: Key, beats: int, heard: Floats) -> None:
        """Take what is probable on a beat: a chord, or the tones in common. `heard` before it, for so many `beats`."""
        tonic, state = _find_relative_major(key), self._state
        for _ in range(min(beats, _MOST_SKIPPED)):
            self._predictor.learn(heard, tonic)
        self._open_tones = ()
        if state.name is None or state.trust < _TRUST:
            return
        chances = self._predictor.predict(tonic)
        likely, tones = int(chances.argmax()), chances @ _TONES
        name = likely % 12, CHORD_QUALITIES[likely // 12]
        least = _LIKELY_IN_LOOP if state.expected and name == state.name else _LIKELY
        if chances[likely] >= least or (tones[_TONES[likely] > 0.0] >= _SAFE).all():
            self._state = state.take(name)
            return
        firm = (likely % 12, (likely + 7) % 12)  # before its third
        order = sorted(range(12), key=lambda tone: (-round(float(tones[tone]), 3), tone not in firm))
        safest = next(tone for tone in order if _TONES[int(heard.argmax()), tone] > 0.0)  # it sounds already
        self._open_tones = tuple(tone for tone in order[:3] if tones[tone] >= _SAFE) or (safest,)

    def _open(self, key: Key) -> Chord | None:
        """Return the tones that are played until the chord is heard, as a chord; None where it is known."""
        if not self._open_tones:
            return None
        root, *others = self._open_tones
        name = "".join(NOTE_NAMES[tone] for tone in self._open_tones)
        return fit_tones(key, root, (0, *((tone - root) % 12 for tone in others)), f"{name}(open)")

    def _fit(self, key: Key, name: _Name | None) -> Chord | None:
        chord = None if name is None else fit_chord(key, *name)
        if chord is not None and self._state.is_doubtful:
            return Chord(chord.key, (chord.degrees[0], chord.degrees[2]), f"{chord.name}(no3)")
        return chord


def _weigh_chords(estimate: ChordEstimate | None) -> Floats:
    """Return the probability of each chord `[24]` that an estimate means."""
    if estimate is None:
        return _UNHEARD
    if estimate.chances:
        chances = np.array(estimate.chances)
        return np.asarray(chances + max(0.0, 1.0 - chances.sum()) / CHORDS)
    share = (1.0 - estimate.confidence) / CHORDS
    chances = np.full(CHORDS, share)
    chances[estimate.chord.root + 12 * CHORD_QUALITIES.index(estimate.chord.quality)] += estimate.confidence
    return chances


def _find_relative_major(key: Key) -> int:
    """Return the tonic of the major key with the tones of a key; of its own where its third is major."""
    return key.tonic if 4 in {(tone - key.tonic) % 12 for tone in key.pitch_classes} else (key.tonic + 3) % 12
