"""The names that a shell offers for the value of an option, listed as it asks. Nothing here loads a net."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def list_midi_outputs() -> list[str]:
    """List the MIDI outputs, the built-in synth among them."""
    from kelly_live.midi.ports import BUILT_IN_SYNTH, list_outputs

    return [*(port.name for port in list_outputs()), BUILT_IN_SYNTH]


def list_midi_inputs() -> list[str]:
    """List the MIDI inputs."""
    from kelly_live.midi.inputs import list_inputs

    return [port.name for port in list_inputs()]


def list_audio_inputs() -> list[str]:
    """List the audio inputs."""
    from kelly_live.audio.devices import list_inputs

    return [device.name for device in list_inputs()]


def list_preset_names() -> list[str]:
    """List the host presets."""
    from kelly_live.generators.host_preset import list_presets

    return [one.name for one in list_presets()]


def list_culture_names() -> list[str]:
    """List the traditions."""
    from kelly_live.cultures.library import list_cultures

    return [one.name for one in list_cultures()]


def list_profile_names() -> tuple[str, ...]:
    """List the profiles."""
    from kelly_live.profiles.store import ProfileStore

    return ProfileStore().names()


def list_generator_names() -> tuple[str, ...]:
    """List the generators."""
    from kelly_live.generators.registry import list_names

    return list_names()


def list_followed() -> tuple[str, ...]:
    """List what can be followed."""
    from kelly_live.sync import TRACKABLE

    return ("all", *TRACKABLE)


def list_places() -> tuple[str, ...]:
    """List the emotions and the named places."""
    from kelly_live.core.values import EMOTIONS
    from kelly_live.engine.options.override import PLACES

    return (*EMOTIONS, *PLACES)


def list_word_languages() -> tuple[str, ...]:
    """List the languages that the models have emotion words of."""
    from kelly_live.core.emotion_words import list_languages

    return list_languages()


# By an option's flag.
NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "--midi-out": list_midi_outputs,
    "--midi-in": list_midi_inputs,
    "--play-in": list_midi_inputs,
    "--audio-in": list_audio_inputs,
    "--preset": list_preset_names,
    "--culture": list_culture_names,
    "--profile": list_profile_names,
    "--words": list_word_languages,
    "--with": list_generator_names,
    "--follow": list_followed,
    "--morph-to": list_places,
    "--goal": list_places,
    "--models": lambda: ("open", "research"),
}
