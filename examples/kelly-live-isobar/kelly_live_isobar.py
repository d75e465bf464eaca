"""isobar's patterns as a player of kelly-live: a second line under the tune.

isobar (by Daniel Jones, MIT) decides rhythm and line; its timeline, clock and outputs stay unused. This file needs
isobar alone: kelly-live runs it in isobar's own environment, and gives it plain values.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import isobar

FIGURES = ("walk", "arpeggio", "fractal")
RULES = ("N+N[-N]-N", "N[++N]-N+N", "NN+N[--N]")  # L-systems that turn back to where they began
REACH_STEPS = 6  # how far a figure leaves its middle
MOST_SHARE = 0.8  # of the places of a bar are played at most, so that it stays a rhythm
LONGEST_BEATS = 2.0
CHANNEL, PROGRAM = 6, 11  # vibraphone


class IsobarPlayer:
    """Euclidean rhythms under walks, arpeggios or L-systems along the scale."""

    descriptor: Mapping[str, Any] = {
        "name": "isobar",
        "part": "isobar",
        "channel": CHANNEL,
        "program": PROGRAM,
        "help": "isobar's patterns: Euclidean rhythms under walks, arpeggios or L-systems",
        "parameters": [
            {"name": "figure", "default": "arpeggio", "choices": FIGURES, "help": "how the line moves"},
            {
                "name": "octave", "default": -1, "low": -3, "high": 1, "unit": "octaves",
                "help": "its middle from the tune's",
            },
            {
                "name": "share", "default": 1.2, "low": 0.1, "high": 3.0,
                "help": "how many notes it has for each one of the tune",
            },
        ],
    }  # fmt: skip

    def __init__(self) -> None:
        self._figure, self._octave, self._share = "arpeggio", -1, 1.2

    def configure(self, values: Mapping[str, Any]) -> None:
        self._figure, self._octave, self._share = values["figure"], values["octave"], values["share"]

    def reset(self) -> None:
        """It remembers nothing: a bar depends on its place and the seed alone."""

    def generate(self, parameters: Any, context: Any, start_beat: float, end_beat: float) -> Sequence[dict[str, Any]]:
        bars = range(context.bar_at(start_beat), context.bar_at(end_beat - 1e-9) + 1)
        notes = [note for bar in bars for note in self._plan_bar(parameters, context, bar)]
        return [note for note in notes if start_beat <= note["onset_beats"] < end_beat]

    def _plan_bar(self, parameters: Any, context: Any, bar: int) -> Iterator[dict[str, Any]]:
        per_bar, start = context.beats_per_bar, float(bar * context.beats_per_bar)
        slots = per_bar * (3 if context.rhythm == "triplet" else 2)
        hits = round(min(MOST_SHARE * slots, self._share * parameters.density * per_bar))
        if context.closing:
            hits = 1
        if hits < 1:
            return
        # A motif returns with its theme, every other bar of a phrase.
        bar_in_phrase = bar - context.bar_at(context.phrase_start_beat)
        chance = random.Random(f"{context.seed} {context.theme} {bar_in_phrase % 2}")
        line = create_figure(self._figure, chance.randrange(2**31))
        rhythm = isobar.PEuclidean(hits, slots).nextn(slots)
        places = [slot * per_bar / slots for slot, hit in enumerate(rhythm) if hit is not None]
        middle = min(108.0, max(24.0, parameters.register.centre + 12.0 * self._octave))
        scale = context.tones_between(0.0, 127.0)
        for place, end in zip(places, [*places[1:], float(per_bar)], strict=True):
            beat = start + place
            step = next(line)
            is_strong = place == 0.0 or (per_bar % 2 == 0 and place == per_bar / 2)
            on_chord = is_strong or context.closing or self._figure == "arpeggio"
            tone = find_tone(scale, middle, 0 if context.closing else step)
            pitch, cents = find_chord_tone(context, beat, tone) if on_chord else tone
            accent = 0.6 if is_strong else 0.4 if place % 1.0 == 0.0 else 0.25
            loud = parameters.dynamics.floor + (parameters.dynamics.ceiling - parameters.dynamics.floor) * accent
            yield {
                "onset_beats": beat,
                "duration_beats": 0.9 * min(end - place, LONGEST_BEATS),
                "pitch": pitch,
                "cents": cents,
                "velocity": max(1, min(127, round(127.0 * loud + chance.uniform(-4.0, 4.0)))),
            }


def create_figure(name: str, seed: int) -> Iterator[int]:
    """Yield the scale steps of an isobar pattern, around 0 and without end."""
    if name == "walk":
        pattern = isobar.PBrown(0, 2, -REACH_STEPS, REACH_STEPS)
        pattern.seed(seed)
    elif name == "arpeggio":
        ways = (isobar.PArpeggiator.UP, isobar.PArpeggiator.DOWN, isobar.PArpeggiator.DIVERGE)
        pattern = isobar.PLoop(isobar.PArpeggiator([-4, -2, 0, 2, 4], ways[seed % len(ways)]))
    else:
        pattern = isobar.PLSystem(RULES[seed % len(RULES)], depth=3, loop=True)
    for step in pattern:
        yield ((step or 0) + REACH_STEPS) % (2 * REACH_STEPS + 1) - REACH_STEPS  # wrapped where it leaves its range


def find_tone(scale: Sequence[tuple[int, float]], middle: float, step: int) -> tuple[int, float]:
    """Return pitch and cents of the scale's tone so many steps from the one next to `middle`."""
    nearest = min(range(len(scale)), key=lambda place: abs(sum_cents(scale[place]) - middle))
    return scale[min(len(scale) - 1, max(0, nearest + step))]


def find_chord_tone(context: Any, beat: float, tone: tuple[int, float]) -> tuple[int, float]:
    """Return the chord's tone next to a tone; in a scale that has none of them, the tone itself."""
    exact = sum_cents(tone)
    chord = context.tones_between(exact - 12.0, exact + 12.0, beat) or [tone]
    return min(chord, key=lambda other: abs(sum_cents(other) - exact))


def sum_cents(tone: tuple[int, float]) -> float:
    """Return the exact pitch of a tone, in semitones."""
    return tone[0] + tone[1] / 100.0
