"""`kelly-live profile set` and `profile calibrate`: what else is one's own, beside taste."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.core.errors import ConfigError
from kelly_live.engine.options.click_options import INPUT_FILE, debug_option, device_option, reader_option

if TYPE_CHECKING:
    from kelly_live.core.protocols import AudioSource, EmotionReader
    from kelly_live.profiles.calibration import Calibration
    from kelly_live.profiles.profile import Profile

LEAST_SECONDS = 5.0
# Above every sound that feels nothing (models/emotion.md: under .07), below most of what is spoken or played at rest.
HEARD = 0.1


@click.command("set")
@click.argument("name")
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
@debug_option
def set_command(name: str, settings: tuple[str, ...]) -> None:
    """Change what goes with a profile: culture=NAME[:MODE], strength=0..1, preset=NAME, calibrate=on|off, and
    keys.K="ACTION [VALUE]", such as keys.x=panic or keys.1="emotion sad".

    `none` takes a culture or preset back; `keys.K=none` silences a key, `keys.K=default` gives it back. `kelly-live
    learn --list` shows all actions.
    """
    from kelly_live.profiles.store import Store

    changes = [_read(text) for text in settings]

    def changed(profile: Profile) -> Profile:
        for key, value in changes:
            profile = applied(profile, key, value)
        return profile

    profile = Store().update(name, changed)
    click.echo(f"{profile.name}: {described(profile)}")


def _read(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not value.strip():
        raise click.UsageError(f"{text!r}: write KEY=VALUE, such as preset=strings or keys.x=panic")
    return key.strip(), value.strip()


def applied(profile: Profile, key: str, value: str) -> Profile:
    """The profile with one setting changed, checked against what there is. Raises ConfigError."""
    from kelly_live.profiles.profile import check_key, key_action

    gone = value.casefold() == "none"
    if key == "culture":
        return replace(profile, culture=None if gone else culture_name(value))
    if key == "strength":
        try:
            return replace(profile, culture_strength=float(value))
        except ValueError:
            raise ConfigError(f"strength is {value[:40]!r}; it must be a number from 0 to 1") from None
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
        own = () if value.casefold() == "default" else ((name, key_action(value)),)
        return replace(profile, keys=(*others, *own))
    raise ConfigError(f"a profile has no {key[:40]!r}; set culture, strength, preset, calibrate or keys.K")


def culture_name(typed: str) -> str:
    """NAME or NAME:MODE as it is kept. Raises ConfigError."""
    from kelly_live.cultures.library import choose_culture

    choice = choose_culture(typed)
    return choice.preset.name if choice.mode is None else f"{choice.preset.name}:{choice.mode.name}"


def described(profile: Profile) -> str:
    """Its settings, in words."""
    from kelly_live.control.keyboard import describe_own_keys

    culture = profile.culture and f"plays as in {profile.culture}, strength {profile.culture_strength:g}"
    preset = profile.preset and f"on the host preset {profile.preset}"
    keys = describe_own_keys(dict(profile.keys)) if profile.keys else None
    return "; ".join(part for part in (culture, preset, keys, at_rest(profile)) if part) or "nothing set"


def at_rest(profile: Profile) -> str | None:
    """What its input reads like at rest, in words; None where nothing is known."""
    from kelly_live.profiles.calibration import AXES, NO_HINTS, offset_of

    take, hints = profile.take, profile.hints
    if take is None and hints == NO_HINTS:
        return None
    used = "taken off what is read" if profile.calibrate else "not used (`profile set NAME calibrate=on` does)"
    offset = ", ".join(f"{axis} {off:+.2f}" for axis, off in zip(AXES, offset_of(take, hints), strict=True))
    said = f"{sum(hints.counts)} nudges by hand" if hints != NO_HINTS else ""
    if take is not None:
        doubt = "/".join(f"{error:.2f}" for error in take.error)
        level = f"level {take.level_dbfs:.0f}, floor {take.floor_dbfs:.0f} dBFS"
        said = ", ".join(filter(None, (f"a take of {take.seconds:.0f} s (± {doubt}; {level})", said)))
    return f"input at rest {offset}, from {said}: {used}"


@click.command("calibrate")
@click.argument("name", required=False)
@click.option("--from", "file", type=INPUT_FILE, help="A recording of it instead of listening now.")
@click.option("--audio-in", metavar="NAME", help="The audio input, by any part of its name [default: the system's].")
@click.option(
    "--seconds", type=click.FloatRange(LEAST_SECONDS, 600.0), default=30.0, show_default=True, help="At most."
)
@click.option("--use/--keep-only", "use", default=None, help="Take it off what is read, or only keep it.")
@device_option()
@reader_option()
@debug_option
def calibrate_command(
    name: str | None,
    file: Path | None,
    audio_in: str | None,
    seconds: float,
    use: bool | None,
    device: str,
    reader: str,
) -> None:
    """Be neutral for 30 s: speak, sing or play as you do when you feel nothing in particular, into your own microphone.

    What is read of it on average is kept (numbers only, no audio), and with --use it is taken off what is read while
    playing. Off unless you say so: on 27 voices that the net was not fitted on it did not help (arousal r -.04, valence
    -.01: `python -m kelly_live.lab.judging.neutral_calibration`).
    """
    from kelly_live.audio.sources import FileSource
    from kelly_live.audio.supervised_source import SupervisedSource
    from kelly_live.core.timebase import MonotonicClock
    from kelly_live.emotion.registry import require_reader
    from kelly_live.profiles.store import Store

    store = Store()
    chosen = store.default() if name is None else store.find(name)
    if chosen is None:
        raise click.UsageError("say which profile, or make one the default (`kelly-live profile use NAME`)")
    emotion_reader = require_reader(reader, device=device)
    clock = MonotonicClock()
    source: AudioSource
    if file is not None:
        source = FileSource(file, clock, realtime=False, sample_rate=emotion_reader.sample_rate)
    else:
        source = SupervisedSource(audio_in, clock)
        source.open()
        click.echo(f"listening to {source.name!r} for {seconds:g} s: be neutral …")
    take = heard(source, emotion_reader, seconds)
    profile = store.update(
        chosen, lambda found: replace(found, take=take, calibrate=found.calibrate if use is None else use)
    )
    click.echo(f"{profile.name}: {at_rest(profile)}")


def heard(source: AudioSource, reader: EmotionReader, seconds: float) -> Calibration:
    """A take of at most `seconds` from a source, which is closed then. Raises AudioError, ConfigError."""
    from datetime import UTC, datetime

    from kelly_live.core.errors import AudioError
    from kelly_live.core.level import rms_dbfs
    from kelly_live.core.values import AudioWindow
    from kelly_live.profiles.calibration import INDEPENDENT_SECONDS, Calibration

    levels: list[float] = []
    places: list[tuple[float, float, float]] = []
    taken = 0.0
    try:
        source.start()
        while taken < seconds and not source.finished:
            block = source.read(timeout=0.5)
            if block is None:
                if problem := source.health().problem:
                    raise AudioError(f"the take broke off: {problem}")
                continue
            samples = block.samples[: round((seconds - taken) * block.sample_rate) + 1]
            taken += len(samples) / block.sample_rate
            levels.append(rms_dbfs(samples))
            states = reader.push(AudioWindow(samples, block.sample_rate, taken))
            places += [(s.valence, s.arousal, s.dominance) for s in states if s.confidence >= HEARD]
    finally:
        source.close()
    sounding = len(places) * reader.hop_seconds
    if sounding < LEAST_SECONDS:
        raise ConfigError(
            f"only {sounding:.1f} s of {taken:.0f} s could be read; a take needs {LEAST_SECONDS:g} s: come nearer, be "
            f"louder, and go on all through it"
        )
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    level, floor = _mean_level(levels), sorted(levels)[len(levels) // 10]
    independent = sounding / INDEPENDENT_SECONDS
    return Calibration.of(places, round(level, 1), round(floor, 1), now, round(taken, 1), independent)


def _mean_level(levels: Sequence[float]) -> float:
    """Of dB, by power."""
    from math import log10

    return 10.0 * log10(sum(10.0 ** (level / 10.0) for level in levels) / len(levels))
