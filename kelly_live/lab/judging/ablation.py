"""Ablations: history, culture and user are changed one at a time, and then turned off.

One recording is read twice up to the same last window, after different pasts; the same emotion is played in two
cultures, and for two users. Where a factor is on, the notes must change. Where it is off (no history, strength 0, no
user), changing it must change nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.emotion.features import log_mels
from kelly_live.emotion.nets.emotion import history_row
from kelly_live.emotion.nets.scales import HOP_SECONDS, SAMPLE_RATE, SCALES
from kelly_live.lab.nets.system import KellySystem, SystemOutput
from kelly_live.mapping.mapper import create_parameters

PAST_SECONDS = 8.0
WINDOW_SECONDS = 12.0  # the longest that the emotion net looks back

Play = Callable[[MusicParameters, int], Sequence[NoteEvent]]  # parameters and seed to a piece's notes


@dataclass(frozen=True, slots=True)
class Ablation:
    """The share of notes that differ (0-1) when `what` is changed while it is on, and while it is off.

    The tempi (BPM) are those of either value while on.
    """

    what: str
    changed: str
    on: float
    off: float
    tempo_before: float
    tempo_after: float

    @property
    def holds(self) -> bool:
        """Whether notes change while on, and are identical while off."""
        return self.on > 0.0 and self.off == 0.0

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON."""
        return asdict(self) | {"holds": self.holds}


def compute_difference_share(first: Iterable[NoteEvent], second: Iterable[NoteEvent]) -> float:
    """Compute the share of notes (onset, duration, pitch, velocity, part) that only one of two pieces has."""
    a, b = Counter(first), Counter(second)
    total = a.total() + b.total()
    return ((a - b).total() + (b - a).total()) / total if total else 0.0


def extract_window(samples: np.ndarray, seconds: float) -> dict[str, torch.Tensor]:
    """Extract the emotion net's input for the window that ends at `seconds` of 16 kHz samples.

    Silence stands before the first sample.
    """
    stop = int(seconds * SAMPLE_RATE)
    grid = math.lcm(*(scale.hop for scale in SCALES))  # a cut here leaves every frame where it would have been
    start = max(0, stop - int((WINDOW_SECONDS + 2.0) * SAMPLE_RATE)) // grid * grid
    mels = log_mels(samples[start:stop])
    return {s.name: functional.pad(mels[s.name], (s.frames, 0))[:, -s.frames :].unsqueeze(0) for s in SCALES}


@torch.inference_mode()
def ablate(
    system: KellySystem,
    samples: np.ndarray,
    pasts: tuple[float, float],
    now: float,
    play: Play,
    *,
    cultures: tuple[str, str],
    users: tuple[int, int],
    seeds: Sequence[int] = (1, 2, 3),
) -> tuple[Ablation, ...]:
    """Ablate history, culture and user, at `now` (s) in mono 16 kHz `samples`.

    `pasts` are the times at which either of two pasts of PAST_SECONDS ends.

    Raises:
        ConfigError: A time lies outside the recording.
    """
    if min(pasts) < PAST_SECONDS or max(*pasts, now) * SAMPLE_RATE > len(samples):
        raise ConfigError(
            f"the recording lasts {len(samples) / SAMPLE_RATE:.1f} s; give times within, {PAST_SECONDS:g} s or later"
        )
    window = extract_window(samples, now)
    steps = int(PAST_SECONDS / HOP_SECONDS)
    histories = [
        torch.stack(
            [history_row(system.emotion(extract_window(samples, end - HOP_SECONDS * k))) for k in range(steps)], 1
        ).flip(1)
        for end in pasts
    ]
    times = torch.arange(steps + 1).unsqueeze(0) * HOP_SECONDS

    def pieces(out: SystemOutput) -> tuple[list[NoteEvent], float]:
        parameters = create_parameters({name: value.numpy() for name, value in out.music.items()})
        return [note for seed in seeds for note in play(parameters, seed)], parameters.tempo.suggested

    def compare(
        name: str, change: str, on: tuple[SystemOutput, SystemOutput], off: tuple[SystemOutput, SystemOutput]
    ) -> Ablation:
        (first, before), (second, after) = map(pieces, on)
        first_off, second_off = (pieces(out)[0] for out in off)
        return Ablation(
            name,
            change,
            compute_difference_share(first, second),
            compute_difference_share(first_off, second_off),
            before,
            after,
        )

    ids = [torch.tensor([system.culture.find_culture_id(name)]) for name in cultures]
    user_ids = [torch.tensor([user]) for user in users]
    plain = system(window)
    return (
        compare(
            "history", f"the {PAST_SECONDS:g} s before {pasts[0]:g} s, before {pasts[1]:g} s",
            (system(window, histories[0], times), system(window, histories[1], times)),
            (plain, system(window)),
        ),
        compare(
            "culture", " → ".join(cultures),
            (system(window, culture=ids[0]), system(window, culture=ids[1])),
            (
                system(window, culture=ids[0], culture_strength=0.0),
                system(window, culture=ids[1], culture_strength=0.0),
            ),
        ),
        compare(
            "user", f"{users[0]} → {users[1]}",
            (system(window, user=user_ids[0]), system(window, user=user_ids[1])),
            (plain, system(window, user=torch.tensor([0]))),
        ),
    )  # fmt: skip


def format_ablations(ablations: Sequence[Ablation]) -> str:
    """Format a Markdown table of ablations."""
    lines = ["| changed | from → to | notes that differ, on | off | tempo | holds |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {a.what} | {a.changed} | {a.on:.0%} | {a.off:.0%} | {a.tempo_before:.0f} → {a.tempo_after:.0f} BPM "
        f"| {'yes' if a.holds else 'NO'} |"
        for a in ablations
    ]
    return "\n".join(lines)
