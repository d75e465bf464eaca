"""Options that several commands share, and the values they become."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.core.values import EMOTIONS
from kelly_live.midi.tuning import BEND_SEMITONES, DEFAULT_TUNING, TUNINGS, Tuning

F = TypeVar("F", bound=Callable[..., Any])

OUTPUT_FILE = click.Path(path_type=Path, dir_okay=False)
# Existence is checked where the file is read, so that a missing one gets the same one-line error everywhere.
INPUT_FILE = click.Path(path_type=Path)


def common(function: F) -> F:
    """--device, --debug."""

    @click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda", "mps"]),
        default="auto",
        show_default=True,
        help="Where the nets run; auto takes a GPU where there is one.",
    )
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(function)
    def wrapped(*args: Any, debug: bool, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]


def profile(function: F) -> F:
    """--profile, or the user's default, loaded into one `profile: Profile | None` argument."""

    @click.option(
        "--profile",
        "profile_name",
        metavar="NAME",
        help="Play for a profile (`kelly-live profile`) [default: what `profile use` set]; `none` for nobody.",
    )
    @functools.wraps(function)
    def wrapped(*args: Any, profile_name: str | None, **kwargs: Any) -> Any:
        from kelly_live.profiles.store import Store

        store = Store()
        chosen = store.default() if profile_name is None else profile_name
        loaded = None if chosen is None or chosen.strip().casefold() == "none" else store.load(chosen)
        if loaded is not None and profile_name is None:
            click.echo(f"for {loaded.name}, your default (`--profile none`: for nobody in particular)", err=True)
        return function(*args, profile=loaded, **kwargs)

    return wrapped  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class CultureOptions:
    """A culture as typed, NAME or NAME:MODE, and how far it is followed (0-1)."""

    name: str
    strength: float


def culture(function: F) -> F:
    """--culture and --culture-strength, gathered into one `culture: CultureOptions | None` argument."""

    @click.option(
        "--culture", "name", metavar="NAME[:MODE]", help="Play as in a tradition; `kelly-live cultures` lists them."
    )
    @click.option(
        "--culture-strength",
        type=click.FloatRange(0.0, 1.0),
        default=1.0,
        show_default=True,
        help="0 is off; at 1 the music sets out half-way to the tradition's, and feelings move it as far as ever. "
        "Between, that share of the phrases is in its scale, and tuning, steps, ornaments, swing, pace and register go "
        "that far; its metre and its texture are there from 0.5 on.",
    )
    @functools.wraps(function)
    def wrapped(*args: Any, name: str | None, culture_strength: float, **kwargs: Any) -> Any:
        wish = None if name is None else CultureOptions(name, culture_strength)
        return function(*args, culture=wish, **kwargs)

    return wrapped  # type: ignore[return-value]


def tuning(function: F) -> F:
    """--tuning and --bend-range, gathered into one `tuning: Tuning` argument, which knows no programs yet."""

    @click.option(
        "--tuning",
        "mode",
        type=click.Choice(TUNINGS),
        default=DEFAULT_TUNING.mode,
        show_default=True,
        help="How notes outside 12-TET are sent: bends, MPE, MIDI Tuning Standard; or not at all.",
    )
    @click.option(
        "--bend-range",
        type=click.Choice([str(semitones) for semitones in BEND_SEMITONES]),
        help="Semitones of a full bend [default: 48 for mpe, else 2].",
    )
    @functools.wraps(function)
    def wrapped(*args: Any, mode: str, bend_range: str | None, **kwargs: Any) -> Any:
        if bend_range is not None and mode not in ("bend", "mpe"):
            raise click.UsageError(f"--bend-range has no meaning with --tuning {mode}; leave it out")
        chosen = Tuning(mode, None if bend_range is None else int(bend_range))
        return function(*args, tuning=chosen, **kwargs)

    return wrapped  # type: ignore[return-value]


def _place(ctx: click.Context, parameter: click.Parameter, text: str | None) -> EmotionOverride | None:
    """Somewhere in the space of feelings: an emotion's name, or V,A or V,A,D from -1 to 1."""
    if text is None:
        return None
    name = text.strip().lower()
    if name in EMOTIONS:
        return EmotionOverride(emotion=name)
    try:
        numbers = [float(part) for part in name.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or not all(-1.0 <= number <= 1.0 for number in numbers):
        choices = ", ".join(EMOTIONS)
        raise click.BadParameter(f"{text!r} is no place: give one of {choices}; or V,A or V,A,D from -1 to 1")
    return EmotionOverride(numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else None)


def steering(function: F) -> F:
    """--valence, --arousal, --dominance, --emotion, --morph-to and --morph-bars, gathered into one `steering: Steering`
    argument; a morph begins with the music.
    """
    axis = click.FloatRange(-1.0, 1.0)

    @click.option("--valence", type=axis, help="Displeasure -1 ... 1 pleasure.")
    @click.option("--arousal", type=axis, help="Calm -1 ... 1 excited.")
    @click.option("--dominance", type=axis, help="Submissive -1 ... 1 in control.")
    @click.option("--emotion", type=click.Choice(EMOTIONS, case_sensitive=False), help="By name instead.")
    @click.option(
        "--morph-to",
        metavar="PLACE",
        callback=_place,
        help="Go there from the start on, and stay: an emotion, or V,A or V,A,D.",
    )
    @click.option("--morph-bars", type=click.IntRange(1, 1000), default=8, show_default=True, help="In how many bars.")
    @functools.wraps(function)
    def wrapped(
        *args: Any,
        valence: float | None,
        arousal: float | None,
        dominance: float | None,
        emotion: str | None,
        morph_to: EmotionOverride | None,
        morph_bars: int,
        **kwargs: Any,
    ) -> Any:
        morph = None if morph_to is None else Morph(morph_to, bars=float(morph_bars))
        chosen = EmotionOverride(valence=valence, arousal=arousal, dominance=dominance, emotion=emotion, morph=morph)
        return function(*args, steering=chosen, **kwargs)

    return wrapped  # type: ignore[return-value]


def follow(function: F) -> F:
    """--follow, as one `follow: tuple[str, ...]` argument."""
    return click.option(
        "--follow",
        metavar="tempo,key",
        callback=_followed,
        help="Join the player: the tempo and beat, the key, or both, as they are heard.",
    )(function)


def _followed(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    from kelly_live.sync import TRACKABLE

    names = () if text is None else tuple(dict.fromkeys(name.strip().lower() for name in text.split(",")))
    if set(names) - set(TRACKABLE):
        raise click.BadParameter(f"{text!r} cannot be followed: give tempo, key, or tempo,key")
    return names


def seed(function: F) -> F:
    """--seed N."""
    return click.option(
        "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same music."
    )(function)
