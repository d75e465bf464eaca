"""The design of a listening study: what is heard, in which order, and what is asked. All of it follows from a seed."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.core.wording import quote_error

FILE = "study.json"
SOUNDS = "sounds"
OURS, TEMPO_ONLY, CLIPS = "ours", "tempo only", "clips"
CONDITIONS = (OURS, TEMPO_ONLY)  # that can be made; clips are the user's own
MUSIC, TRAINING, ATTENTION, HEADPHONES = "music", "training", "attention", "headphones"
_CHECKS = 2  # of attention, in each session
_TRIES = 2000


class Stimulus(msgspec.Struct, frozen=True):
    """A sound: its name (which tells a listener nothing), what it is, and what it is meant to be heard as."""

    name: str
    condition: str
    emotion: str
    valence: float
    arousal: float
    source: str  # the seed of a piece, or the file of a clip
    digest: str  # SHA-256 of the file, so that a registered study cannot change


class Check(msgspec.Struct, frozen=True):
    """What a listener is told to answer, to see whether he reads: an emotion, and signs of valence and arousal."""

    name: str
    emotion: str
    valence: int
    arousal: int


class Trial(msgspec.Struct, frozen=True):
    """A place in a session: its kind, and the name of a stimulus or of a check."""

    kind: str
    name: str


class StudyDesign(msgspec.Struct, frozen=True):
    """A study. `listeners`: how many are planned. `training`: the stimulus that is heard first and does not count."""

    version: str
    title: str
    seed: int
    listeners: int
    emotions: tuple[str, ...]
    conditions: tuple[str, ...]
    training: Stimulus
    stimuli: tuple[Stimulus, ...]
    checks: tuple[Check, ...]

    def plan_session(self, number: int) -> list[Trial]:
        """List the trials of listener `number` (from 0): training, then all stimuli with checks among them.

        Over twice as many listeners as there are stimuli each one stands in each place twice; every second listener
        hears them backwards, so that what comes before a stimulus is balanced too.
        """
        order = order_stimuli(self.stimuli, self.seed)
        turn = number // 2 % len(order)
        order = order[turn:] + order[:turn]
        if number % 2:
            order.reverse()
        trials = [Trial(MUSIC, stimulus.name) for stimulus in order]
        for index, check in enumerate(self.checks, 1):
            trials.insert(index * len(trials) // (len(self.checks) + 1), Trial(ATTENTION, check.name))
        return [Trial(TRAINING, self.training.name), *trials]

    def find_stimulus(self, name: str) -> Stimulus:
        """Return a stimulus by its name."""
        return next(one for one in (self.training, *self.stimuli) if one.name == name)


def order_stimuli(stimuli: tuple[Stimulus, ...], seed: int) -> list[Stimulus]:
    """Shuffle stimuli into a circle in which two neighbours are as rarely of one emotion as can be found."""
    rng = np.random.default_rng(seed)
    best: list[Stimulus] = list(stimuli)
    fewest = len(stimuli) + 1
    for _ in range(_TRIES):
        order = [stimuli[index] for index in rng.permutation(len(stimuli))]
        count = sum(a.emotion == b.emotion for a, b in pairwise([*order, order[0]]))
        if count < fewest:
            best, fewest = order, count
        if fewest == 0:
            break
    return best


def choose_checks(emotions: tuple[str, ...], seed: int) -> tuple[Check, ...]:
    """Choose what the checks of attention ask for."""
    rng = np.random.default_rng((seed, 1))
    return tuple(
        Check(f"check-{number}", str(rng.choice(emotions)), int(rng.choice((-1, 1))), int(rng.choice((-1, 1))))
        for number in range(1, _CHECKS + 1)
    )


def name_stimulus(seed: int, *parts: str) -> str:
    """Return a name that tells nothing of what it is made from."""
    return hashlib.sha256(repr((seed, *parts)).encode()).hexdigest()[:10]


def save_design(folder: Path, design: StudyDesign) -> None:
    """Write a design into its folder. Raises OutputError."""
    write_atomically(folder / FILE, msgspec.json.format(msgspec.json.encode(design), indent=2) + b"\n")


def load_design(folder: Path) -> StudyDesign:
    """Read the design of a study and hold its sounds against it. Raises ConfigError."""
    path = folder / FILE
    try:
        design = msgspec.json.decode(path.read_bytes(), type=StudyDesign)
    except OSError as error:
        raise ConfigError(f"there is no study in {str(folder)!r}; make one: kelly-live study new {folder}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is damaged ({quote_error(error)}); make the study again") from error
    if not (design.stimuli and design.emotions and design.conditions and design.listeners > 0):
        raise ConfigError(
            f"{path} is damaged (it lacks sounds, emotions, conditions or listeners); make the study again"
        )
    for stimulus in (design.training, *design.stimuli):
        sound = find_sound(folder, stimulus.name)
        if not sound.is_file() or digest_file(sound) != stimulus.digest:
            raise ConfigError(f"{sound} is not the sound that the study was made with; make the study again")
    return design


def find_sound(folder: Path, name: str) -> Path:
    """Return the file of a stimulus."""
    return folder / SOUNDS / f"{name}.mp3"


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
