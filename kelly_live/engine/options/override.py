"""What the performer sets before the music begins: axes, an emotion by name, a morph, freeze."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import parse_number
from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.core.values import EMOTIONS
from kelly_live.engine.options.metadata import check_options, option

# Places that have a name and are no class of the nets. Calm: pleasant, and as quiet as what a rest fades to.
PLACES = {"calm": EmotionOverride(0.4, -0.6)}


def parse_target(text: str) -> EmotionOverride:
    """Read a place: calm, an emotion's name, or V,A or V,A,D from -1 to 1. Raises ConfigError."""
    name = text.strip().lower()
    if name in EMOTIONS:
        return EmotionOverride(emotion=name)
    if name in PLACES:
        return PLACES[name]
    numbers = [parse_number(part) for part in name.split(",")]
    if len(numbers) not in (2, 3) or not all(-1.0 <= number <= 1.0 for number in numbers):
        choices = ", ".join((*EMOTIONS, *PLACES))
        raise ConfigError(f"{text[:60]!r} is no place: give one of {choices}; or V,A or V,A,D from -1 to 1")
    return EmotionOverride(numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else None)


def format_target(target: EmotionOverride) -> str:
    """Return a place as it is typed; the inverse of `parse_target`."""
    if target.emotion is not None:
        return target.emotion
    name = next((name for name, place in PLACES.items() if place == target), None)
    if name is not None:
        return name
    return ",".join(f"{axis:g}" for axis in (target.valence, target.arousal, target.dominance) if axis is not None)


@dataclass(frozen=True, slots=True)
class OverrideOptions:
    """The manual override to start with. Numbers win over the emotion; the morph begins with the music.

    Axes from -1 to 1, `morph_bars` in bars. Raises ConfigError.
    """

    valence: float | None = option(
        "--valence", kind=float, minimum=-1.0, maximum=1.0, help="Displeasure -1 ... 1 pleasure."
    )
    arousal: float | None = option("--arousal", kind=float, minimum=-1.0, maximum=1.0, help="Calm -1 ... 1 excited.")
    dominance: float | None = option(
        "--dominance", kind=float, minimum=-1.0, maximum=1.0, help="Submissive -1 ... 1 in control."
    )
    emotion: str | None = option("--emotion", choices=EMOTIONS, help="An emotion by name instead.")
    morph_to: EmotionOverride | None = option(
        "--morph-to",
        metavar="PLACE",
        parse=parse_target,
        format=format_target,
        help="Move there from the start on, and stay: an emotion, or V,A or V,A,D.",
    )
    morph_bars: int = option(
        "--morph-bars",
        kind=int,
        default=8,
        minimum=1,
        maximum=1000,
        default_note=None,
        help="How many bars the move takes.",
    )
    freeze: bool = option(
        "--freeze", kind=bool, default=False, help="Do not follow the sound: stay neutral, or at what is set here."
    )

    def __post_init__(self) -> None:
        check_options(self)

    def build_override(self) -> EmotionOverride:
        """Return the override that these settings mean."""
        return EmotionOverride(
            valence=self.valence,
            arousal=self.arousal,
            dominance=self.dominance,
            emotion=self.emotion,
            freeze=self.freeze,
            morph=None if self.morph_to is None else Morph(self.morph_to, bars=float(self.morph_bars)),
        )
