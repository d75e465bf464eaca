"""What the commands do with a profile: settings, calibration, and what it has learned, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import parse_number, quote_value
from kelly_live.core.values import EMOTIONS
from kelly_live.core.wording import plural

if TYPE_CHECKING:
    from kelly_live.core.protocols import AudioSource, EmotionReader
    from kelly_live.mapping.net import MapperNet
    from kelly_live.mapping.profile_taste import Difference
    from kelly_live.profiles.calibration import Calibration
    from kelly_live.profiles.profile import Profile

MIN_SECONDS = 5.0
# Above all sounds without emotion (models/research/emotion.md: under .07), below most speech and playing at rest.
MIN_CONFIDENCE = 0.1
# parameter -> (unit, digits, more, less): how a difference is put into words
_WORDS = {
    "tempo": (" BPM", 0, "faster", "slower"),
    "register": (" semitones", 1, "higher", "lower"),
    "level": (" of full velocity", 2, "louder", "softer"),
    "density": (" notes a beat", 2, "busier", "sparser"),
    "major": (" share of major", 2, "brighter", "darker"),
}


def apply_setting(profile: Profile, key: str, value: str) -> Profile:
    """Return the profile with one setting changed. Raises ConfigError for a value that does not exist."""
    from kelly_live.profiles.profile import check_key, key_action

    gone = value.casefold() == "none"
    if key == "culture":
        return replace(profile, culture=None if gone else resolve_culture(value))
    if key == "strength":
        strength = parse_number(value)
        if not 0.0 <= strength <= 1.0:
            raise ConfigError(f"strength is {quote_value(value)}; it must be a number from 0 to 1")
        return replace(profile, culture_strength=strength)
    if key == "preset":
        from kelly_live.generators.host_preset import load_preset

        return replace(profile, preset=None if gone else load_preset(value).name)
    if key == "calibrate":
        if value.lower() not in ("on", "off"):
            raise ConfigError(f"calibrate is {value[:40]!r}; it must be on or off")
        return replace(profile, calibrate=value.lower() == "on")
    if key.startswith("keys."):
        name = check_key(key.removeprefix("keys."))
        others = tuple(pair for pair in profile.keys if pair[0] != name)
        bindings = () if value.casefold() == "default" else ((name, key_action(value)),)
        return replace(profile, keys=(*others, *bindings))
    if key.startswith("limits."):
        from kelly_live.profiles.limits import change_limit

        return replace(
            profile, limits=change_limit(profile.limits, key.removeprefix("limits.").replace("-", "_"), value)
        )
    raise ConfigError(f"a profile has no {key[:40]!r}; set culture, strength, preset, calibrate, keys.K or limits.L")


def resolve_culture(text: str) -> str:
    """Return a culture, NAME or NAME:MODE, as a profile keeps it. Raises ConfigError."""
    from kelly_live.cultures.library import choose_culture

    choice = choose_culture(text)
    return choice.preset.name if choice.mode is None else f"{choice.preset.name}:{choice.mode.name}"


def describe_settings(profile: Profile) -> str:
    """Describe a profile's settings in words."""
    from kelly_live.control.keyboard import describe_own_keys

    culture = profile.culture and f"plays as in {profile.culture}, strength {profile.culture_strength:g}"
    preset = profile.preset and f"on the host preset {profile.preset}"
    keys = describe_own_keys(dict(profile.keys)) if profile.keys else None
    limits = profile.limits.describe()
    limited = f"limits: {', '.join(limits)}" if limits else None
    return (
        "; ".join(part for part in (culture, preset, keys, limited, describe_calibration(profile)) if part)
        or "nothing set"
    )


def describe_calibration(profile: Profile) -> str | None:
    """Describe in words what the input reads like at rest; None if nothing is known."""
    from kelly_live.profiles.calibration import AXES, NO_HINTS, compute_offset

    take, hints = profile.take, profile.hints
    if take is None and hints == NO_HINTS:
        return None
    usage = "subtracted from what is read" if profile.calibrate else "not used (`profile set NAME calibrate=on` does)"
    offset = ", ".join(f"{axis} {off:+.2f}" for axis, off in zip(AXES, compute_offset(take, hints), strict=True))
    origin = plural(sum(hints.counts), "manual nudge") if hints != NO_HINTS else ""
    if take is not None:
        deviation = "/".join(f"{error:.2f}" for error in take.error)
        level = f"level {take.level_dbfs:.0f}, floor {take.floor_dbfs:.0f} dBFS"
        origin = ", ".join(filter(None, (f"a recording of {take.seconds:.0f} s (± {deviation}; {level})", origin)))
    return f"input at rest {offset}, from {origin}: {usage}"


def record_calibration(source: AudioSource, reader: EmotionReader, seconds: float) -> Calibration:
    """Record at most `seconds` of a source, and close it. Raises AudioError, ConfigError."""
    from datetime import UTC, datetime

    from kelly_live.core.errors import AudioError
    from kelly_live.core.level import rms_dbfs
    from kelly_live.core.values import AudioWindow
    from kelly_live.profiles.calibration import INDEPENDENT_SECONDS, Calibration

    levels: list[float] = []
    places: list[tuple[float, float, float]] = []
    seconds_read = 0.0
    try:
        source.start()
        while seconds_read < seconds and not source.is_finished:
            block = source.read(timeout=0.5)
            if block is None:
                if problem := source.health().problem:
                    raise AudioError(f"the recording broke off: {problem}")
                continue
            samples = block.samples[: round((seconds - seconds_read) * block.sample_rate) + 1]
            seconds_read += len(samples) / block.sample_rate
            levels.append(rms_dbfs(samples))
            states = reader.push(AudioWindow(samples, block.sample_rate, seconds_read))
            places += [(s.valence, s.arousal, s.dominance) for s in states if s.confidence >= MIN_CONFIDENCE]
    finally:
        source.close()
    sound_seconds = len(places) * reader.hop_seconds
    if sound_seconds < MIN_SECONDS:
        raise ConfigError(
            f"only {sound_seconds:.1f} s of {seconds_read:.0f} s could be read; it takes {MIN_SECONDS:g} s at least: "
            "come nearer, be louder, and do not pause"
        )
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    level, floor = _mean_level(levels), sorted(levels)[len(levels) // 10]
    independent = sound_seconds / INDEPENDENT_SECONDS
    return Calibration.of(places, round(level, 1), round(floor, 1), now, round(seconds_read, 1), independent)


def _mean_level(levels: Sequence[float]) -> float:
    """The mean of levels in dB, by power."""
    from math import log10

    return 10.0 * log10(sum(10.0 ** (level / 10.0) for level in levels) / len(levels))


def describe_emotion(differences: Sequence[Difference], emotion: str) -> str:
    """Describe in words the differences in one emotion that are larger than their standard deviation."""
    parts = []
    for one in differences:
        unit, digits, more, less = _WORDS[one.parameter]
        if one.emotion == emotion and abs(one.change) > max(one.spread, 0.5 * 10.0**-digits):
            word = more if one.change > 0.0 else less
            change = f"{one.change:+.{digits}f} ± {one.spread:.{digits}f}{unit}"
            parts.append(f"{word} ({change}; {one.known:.0%} known)")
    return ", ".join(parts) or "not surely different from the base"


def describe_profile(profile: Profile, differences: Sequence[Difference]) -> list[str]:
    """Describe in words what a profile holds and has learned, one line each; `differences` are its own."""
    lines = [f"{profile.name}: {count_reactions(profile)}"]
    if (settings := describe_settings(profile)) != "nothing set":
        lines.append(settings)
    if profile.embedding is None:
        return [*lines, "nothing is learned yet: it plays the base mapping"]
    for emotion in EMOTIONS:
        count = sum(one.count for one in profile.reactions if one.state.emotion == emotion)
        lines.append(f"your {emotion} ({plural(count, 'reaction')}): {describe_emotion(differences, emotion)}")
    return lines


def describe_changes(before: Sequence[Difference], after: Sequence[Difference]) -> list[str]:
    """Describe how the music of a profile changed, one line for each emotion."""
    from kelly_live.mapping.profile_taste import describe_change

    def list_values(differences: Sequence[Difference], emotion: str) -> list[float]:
        return [one.own for one in differences if one.emotion == emotion]

    lines = {
        emotion: describe_change(list_values(before, emotion), list_values(after, emotion)) for emotion in EMOTIONS
    }
    lines_of_changes = [f"  {emotion}: {text}" for emotion, text in lines.items() if text]
    return lines_of_changes or ["  nothing changed that could be heard"]


def count_reactions(profile: Profile) -> str:
    """Say how many reactions a profile holds, and how many of them are not learned from yet."""
    count = plural(profile.count, "reaction")
    open_count = profile.count - profile.learned_from
    return count if open_count == 0 else f"{count}, {open_count} of them not learned from yet"


def load_net() -> MapperNet:
    """Load the shipped mapper. Raises ModelError."""
    from kelly_live.core.resources import find_resources
    from kelly_live.mapping.net import load_mapper_net

    return load_mapper_net(find_resources("models"))
