"""Give drawn voices another speaker's average, so that a net does not learn what is only one speaker's or one room's.

Actors play every emotion, so the mean of a speaker's descriptions says who speaks, how near the microphone is and in
which language, but hardly which emotion. A description minus a part of its speaker's mean plus the same part of
another's keeps the emotion and changes the rest (as MixStyle does inside a net: Zhou et al. 2021). Bursts and speech
are not exchanged, for each speaker's mean says which of the two it is.
"""

from __future__ import annotations

import numpy as np
import torch

from kelly_live.emotion.nets.members import Description
from kelly_live.lab.corpora.targets import is_music
from kelly_live.lab.training.labelled_windows import LabelledWindows

MIN_CLIPS = 6  # of a speaker, or the mean says which emotions were drawn
PARTS = ("trunk", "voice", "speech")  # the voice's; tonality describes music


class SpeakerSwap:
    """The speakers' means of some windows, and the exchange of them."""

    def __init__(self, fit: LabelledWindows, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        groups: dict[tuple[bool, str], list[int]] = {}
        for index, clip in enumerate(fit.clips):
            if is_music(clip) is False and clip.speaker is not None:
                groups.setdefault((clip.kind == "vocalisation", clip.speaker), []).append(index)
        known = {group: clips for group, clips in groups.items() if len(clips) >= MIN_CLIPS}
        self._speaker = np.full(len(fit.clips), -1)
        for number, clips in enumerate(known.values()):
            self._speaker[clips] = number
        self._is_burst = np.array([is_burst for is_burst, _ in known], bool)
        row_speaker = self._speaker[fit.windows.clip]

        def average(name: str) -> torch.Tensor:
            rows = getattr(fit.windows, name)
            means = [rows[row_speaker == n].astype(np.float32).mean(axis=0) for n in range(len(known))]
            return torch.from_numpy(np.stack(means))

        self._means = {name: average(name) for name in PARTS} if known else {}

    def __call__(self, drawn: Description, clips: np.ndarray, share: float) -> Description:
        """Exchange the speakers of a share of the rows; `clips` are the rows' clips."""
        speaker = self._speaker[clips]
        rows = np.flatnonzero((speaker >= 0) & (self._rng.random(len(clips)) < share))
        if not len(rows):
            return drawn
        other = speaker[rows].copy()
        for is_burst in (False, True):
            pool, mine = np.flatnonzero(self._is_burst == is_burst), self._is_burst[speaker[rows]] == is_burst
            other[mine] = self._rng.choice(pool, int(mine.sum())) if len(pool) else other[mine]
        amount = torch.from_numpy(self._rng.random((len(rows), 1)).astype(np.float32))
        changed = {}
        for name, means in self._means.items():
            part = getattr(drawn, name).clone()
            part[rows] += (amount * (means[other] - means[speaker[rows]])).to(part.device)
            changed[name] = part
        return drawn._replace(**changed)
