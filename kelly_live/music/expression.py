"""How loud and bright the music is at a moment, between the onsets too: what held notes can show.

The feeling reaches a held note at once, while the next onset may be a bar away. The loudness is the one that an
ordinary note would have if it began now: from the dynamics, the phrase's rise and the form's. A note's velocity shows
it for the onset, the sender's controllers what has changed since (midi/expression.py), so that nothing counts twice.

Thread: the conductor's. It reads no clock.
"""

from __future__ import annotations

import math

from kelly_live.core.commands import Expression
from kelly_live.core.protocols import NoteSink
from kelly_live.core.timebase import TempoMap
from kelly_live.core.values import MusicParameters
from kelly_live.music.context import MusicContext
from kelly_live.music.feel import MEAN_ACCENT, SOFTEST_VELOCITY, compute_level, compute_phrase_arc
from kelly_live.music.form import compute_intensity, compute_lift

POINT_SECONDS = 0.02  # at least, between two points
_LONGEST_GAP_SECONDS = 1.0  # after a longer one (a suspended machine) nothing is made up
# The shipped reader's loudness moves by .6 dB (SD) from hop to hop on the demo recording, where its feelings stay. What
# is within 1.5 dB is averaged; what is further is a turn, and is followed until it is within.
_JITTER_RATIO = 10.0 ** (1.5 / 40.0)
_STEADY_SECONDS, _TURN_SECONDS = 0.6, 0.05
_BRIGHTNESS_SECONDS = 0.1
# `compute_intensity` of sad and of excited music: from the one to the other is half of the range of brightness.
_DARK_INTENSITY, _BRIGHT_INTENSITY = 0.55, 0.9
_LOUDNESS_GRAIN, _BRIGHTNESS_GRAIN = 0.005, 1 / 32  # less is not sent
_ARC_ACCENT = 0.25  # what the phrase's highest place adds to an accent, as in the players' velocities
_LEAST_LOUDNESS = SOFTEST_VELOCITY / 127.0


def compute_loudness(parameters: MusicParameters, context: MusicContext, beat: float) -> float:
    """Compute the loudness of an ordinary note that begins at a beat, over 0 and at most 1."""
    arc = compute_phrase_arc(context.phrase_fraction(beat)) - 0.5
    accent = MEAN_ACCENT + _ARC_ACCENT * arc + compute_lift(context, beat)
    return max(_LEAST_LOUDNESS, compute_level(parameters.dynamics, accent=accent, deviation=0.0))


def compute_brightness(parameters: MusicParameters) -> float:
    """Compute how bright the music is, from -1 to 1: the more intense, the brighter."""
    middle = 0.5 * (_DARK_INTENSITY + _BRIGHT_INTENSITY)
    return max(-1.0, min(1.0, (compute_intensity(parameters) - middle) / (_BRIGHT_INTENSITY - _DARK_INTENSITY)))


class ExpressionCurve:
    """Sends the loudness and brightness as they change, at most one point every POINT_SECONDS.

    Without `is_enabled` it does nothing.
    """

    def __init__(self, sink: NoteSink, *, is_enabled: bool) -> None:
        self._sink = sink
        self._is_enabled = is_enabled
        self.begin()

    def begin(self) -> None:
        """Begin anew: nothing has been played."""
        self._contexts: tuple[MusicContext, ...] = ()  # that of the latest slice, and the one before it
        self._loudness, self._brightness = 1.0, 0.0
        self._now: float | None = None
        self._sent: Expression | None = None
        self._sent_at = -math.inf

    def take_slice(self, parameters: MusicParameters, context: MusicContext, beat: float) -> float | None:
        """Take what the slice that begins at `beat` is played with; return the loudness that its velocities show.

        None if nothing is sent.
        """
        if not self._is_enabled:
            return None
        if not self._contexts or context.phrase is not self._contexts[-1].phrase:
            self._contexts = (*self._contexts[-1:], context)
        else:
            self._contexts = (*self._contexts[:-1], context)
        return compute_loudness(parameters, context, beat)

    def advance(self, now: float, tempo_map: TempoMap, target: MusicParameters) -> None:
        """Send what has changed up to `now` (s) on the way to `target`, which is what is felt since the last call.

        The first call sends nothing: until the second, the music is as loud as its first notes.
        """
        if not self._contexts:
            return
        if self._now is None:
            beat = tempo_map.beat_at(now)
            self._loudness = compute_loudness(target, self._find_context(beat), beat)
            self._brightness, self._now = compute_brightness(target), now
            return
        last = max(self._now, now - _LONGEST_GAP_SECONDS)
        steps = math.floor((now - last) / POINT_SECONDS)
        for step in range(1, steps + 1):
            self._step(last + step * POINT_SECONDS, POINT_SECONDS, tempo_map, target)
        passed = now - last - steps * POINT_SECONDS
        self._step(now, passed, tempo_map, target)
        self._now = now

    def _step(self, now: float, seconds: float, tempo_map: TempoMap, target: MusicParameters) -> None:
        beat = tempo_map.beat_at(now)
        loudness = compute_loudness(target, self._find_context(beat), beat)
        ratio = max(loudness / self._loudness, self._loudness / loudness)
        turn_seconds = _TURN_SECONDS if ratio > _JITTER_RATIO else _STEADY_SECONDS
        self._loudness += (loudness - self._loudness) * -math.expm1(-seconds / turn_seconds)
        brightness = compute_brightness(target)
        self._brightness += (brightness - self._brightness) * -math.expm1(-seconds / _BRIGHTNESS_SECONDS)
        has_moved = (
            self._sent is None
            or abs(self._loudness / self._sent.loudness - 1.0) >= _LOUDNESS_GRAIN
            or abs(self._brightness - self._sent.brightness) >= _BRIGHTNESS_GRAIN
        )
        if has_moved and now - self._sent_at >= POINT_SECONDS - 1e-9:
            self._sent, self._sent_at = Expression(beat, self._loudness, self._brightness), now
            self._sink.send(self._sent)

    def _find_context(self, beat: float) -> MusicContext:
        """Return the context of a beat; slices are made ahead of it."""
        *_, latest = self._contexts
        return latest if beat >= latest.phrase.start_beat else self._contexts[0]
