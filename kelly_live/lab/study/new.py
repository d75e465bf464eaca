"""Make a study: its sounds, its design, the text of consent, and its registration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kelly_live import __version__
from kelly_live.core.atomic_write import create_folder, write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.lab.study.answers import list_listeners
from kelly_live.lab.study.design import (
    CLIPS,
    CONDITIONS,
    OURS,
    SOUNDS,
    Stimulus,
    StudyDesign,
    choose_checks,
    save_design,
)
from kelly_live.lab.study.report import REGISTRATION, write_registration
from kelly_live.lab.study.server import CONSENT
from kelly_live.lab.study.stimuli import make_piece, make_pieces, take_clips

CONSENT_TEXT = """You will hear short pieces of music and say what each one expresses. It takes about {minutes} minutes.

Please use headphones, in a quiet place, at a comfortable loudness.

Your answers are kept without your name, your address or anything else that says who you are. You may stop at any time
by closing the page; tell us if your answers are to be deleted.

{{Who runs the study, and how to reach them.}}
"""
_ANSWER_SECONDS = 12.0


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a study is made of. `clips`: a list of the user's own."""

    title: str
    emotions: tuple[str, ...]
    pieces: int
    has_baseline: bool
    clips: Path | None
    seconds: float
    listeners: int
    seed: int

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions of the pieces that are composed."""
        return CONDITIONS if self.has_baseline else (OURS,)

    def count_pieces(self) -> int:
        """Count the pieces to compose."""
        return len(self.conditions) * len(self.emotions) * self.pieces + 1


def create_study(folder: Path, plan: StudyPlan, advance: Callable[[], object]) -> StudyDesign:
    """Make a study in a folder; `advance` is called after each piece. Raises KellyError."""
    if len(plan.emotions) < 2:
        raise ConfigError("a study needs two emotions or more, else there is nothing to choose from; add --emotion")
    if (folder / REGISTRATION).exists():
        raise ConfigError(
            f"there is a study in {str(folder)!r}, and its registration stands; make another one in a new folder, or "
            "delete this one first"
        )
    if list_listeners(folder):
        raise ConfigError(f"people have answered the study in {str(folder)!r}; make another one in a new folder")
    create_folder(folder / SOUNDS)
    stimuli = list[Stimulus]()
    if plan.clips is not None:
        stimuli += take_clips(plan.clips, folder, plan.emotions, seed=plan.seed, seconds=plan.seconds)
    for stimulus in make_pieces(
        folder, plan.conditions, plan.emotions, seed=plan.seed, count=plan.pieces, seconds=plan.seconds
    ):
        stimuli.append(stimulus)
        advance()
    training = make_piece(folder, OURS, plan.emotions[0], number=plan.pieces, seed=plan.seed, seconds=plan.seconds)
    advance()
    conditions = plan.conditions if plan.clips is None else (*plan.conditions, CLIPS)
    design = StudyDesign(
        __version__, plan.title, plan.seed, plan.listeners, plan.emotions, conditions, training, tuple(stimuli),
        choose_checks(plan.emotions, plan.seed),
    )  # fmt: skip
    save_design(folder, design)
    minutes = round(len(stimuli) * (plan.seconds + _ANSWER_SECONDS) / 60.0 + 3.0)
    if not (folder / CONSENT).exists():
        write_atomically(folder / CONSENT, CONSENT_TEXT.format(minutes=minutes).encode())
    write_atomically(folder / REGISTRATION, write_registration(folder, design).encode())
    return design
