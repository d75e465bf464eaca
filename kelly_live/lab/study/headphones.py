"""The headphone check of Woods, Siegel, Traer & McDermott (2017, Atten Percept Psychophys 79:2064): which is quietest?

Each trial has three tones of 200 Hz. One is 6 dB softer; another one is in antiphase between the ears, so that on
loudspeakers, where the two sides cancel, it seems the softest. Six trials; five right answers pass.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np

TRIALS, MOST_WRONG = 6, 1
RATE = 44100
_HERTZ, _SECONDS, _RAMP_SECONDS, _PAUSE_SECONDS = 200.0, 1.0, 0.1, 0.5
_LEVEL, _SOFT_DB = 0.25, -6.0
_PLAIN, _SOFT, _ANTIPHASE = range(3)


def order_tones(seed: int) -> list[tuple[int, int, int]]:
    """Return the kinds of the three tones of each trial: every order once, shuffled."""
    orders = list(permutations((_PLAIN, _SOFT, _ANTIPHASE)))
    return [orders[index] for index in np.random.default_rng((seed, 2)).permutation(len(orders))]


def find_answers(seed: int) -> list[int]:
    """Return which tone of each trial is the softest, from 1."""
    return [order.index(_SOFT) + 1 for order in order_tones(seed)]


def has_passed(seed: int, answers: list[int]) -> bool:
    """Return whether a listener's answers are those of somebody with headphones."""
    right = sum(one == other for one, other in zip(find_answers(seed), answers, strict=False))
    return right >= TRIALS - MOST_WRONG


def render_trial(order: tuple[int, int, int]) -> np.ndarray:
    """Render the three tones of a trial: stereo float32 `[2, n]` at RATE."""
    pause = np.zeros((2, round(_PAUSE_SECONDS * RATE)))
    parts = [part for kind in order for part in (_render_tone(kind), pause)]
    return np.concatenate(parts[:-1], axis=1).astype(np.float32)


def _render_tone(kind: int) -> np.ndarray:
    time = np.arange(round(_SECONDS * RATE)) / RATE
    ramp = np.minimum(1.0, np.minimum(time, _SECONDS - time) / _RAMP_SECONDS)
    tone = _LEVEL * np.sin(2.0 * np.pi * _HERTZ * time) * np.sin(np.pi / 2.0 * np.clip(ramp, 0.0, 1.0)) ** 2
    if kind == _SOFT:
        tone = tone * 10.0 ** (_SOFT_DB / 20.0)
    return np.stack([tone, -tone if kind == _ANTIPHASE else tone])
