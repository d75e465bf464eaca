"""Rendering of labelled MIDI files to audio with fluidsynth, into a cache outside the repository."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from kelly_live.core.errors import ConfigError, KellyError
from kelly_live.core.termination import delete_at_exit, run_command
from kelly_live.midi.file_reader import READ_ERRORS

# Used in training, both MIT: Debian's fluid-soundfont-gm and musescore-general-soundfont-small.
SOUNDFONTS = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3"),
)
# Never used in training: scores on it show whether a net knows music or only the instruments above.
HELD_OUT_SOUNDFONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
RENDER_RATE = 32_000  # twice OUTPUT_RATE: the synthesiser's aliases then fall above the net's band
OUTPUT_RATE = 16_000

_ALL_SOUND_OFF = 120  # controller number


def locate_rendering(midi: Path, cache: Path, soundfont: Path) -> Path:
    """Locate the audio of `midi` in the cache: `cache/rendered/<soundfont>/<folder>_<name>.flac`."""
    return cache / "rendered" / soundfont.stem / f"{midi.parent.name}_{midi.stem}.flac"


def _cut_midi(midi: Path, seconds: float, target: Path) -> None:
    """Write a one-track copy of the first `seconds`, so that the rest of a long file is not rendered.

    All sound ends there: the synthesiser would go on for ever with a note whose end was cut off.
    """
    import mido

    try:
        source = mido.MidiFile(midi)
        shortened = mido.MidiFile(type=0, ticks_per_beat=source.ticks_per_beat)
        track = mido.MidiTrack()
        now, tempo = 0.0, 500_000
        for message in mido.merge_tracks(source.tracks):
            later = now + mido.tick2second(message.time, source.ticks_per_beat, tempo)
            if later > seconds:
                rest = mido.second2tick(seconds - now, source.ticks_per_beat, tempo)
                track.append(mido.Message("control_change", control=_ALL_SOUND_OFF, time=rest))
                track.extend(
                    mido.Message("control_change", channel=channel, control=_ALL_SOUND_OFF) for channel in range(1, 16)
                )
                break
            now, tempo = later, message.tempo if message.type == "set_tempo" else tempo
            track.append(message)
        shortened.tracks.append(track)
        shortened.save(target)
    except READ_ERRORS as error:
        raise KellyError(f"cannot read {midi} ({error}); it must be a standard MIDI file") from error


def render_midi(midi: Path, cache: Path, soundfont: Path = SOUNDFONTS[0], *, seconds: float | None = None) -> Path:
    """Render `midi` to mono 16 kHz FLAC unless it is cached, at most its first `seconds`; return the path.

    Raises:
        ConfigError: fluidsynth or the soundfont is missing.
        KellyError: The file cannot be read or rendered.
    """
    import soundfile
    import soxr

    target = locate_rendering(midi, cache, soundfont)
    if target.is_file():
        return target
    if shutil.which("fluidsynth") is None:
        raise ConfigError("fluidsynth is not installed, but training on MIDI renders it; `apt install fluidsynth`")
    if not soundfont.is_file():
        raise ConfigError(f"the soundfont {soundfont} is missing; `apt install fluid-soundfont-gm`, or name another")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".render") as folder, delete_at_exit(folder):
        wav = Path(folder) / "out.wav"
        score = midi
        if seconds is not None:
            score = Path(folder) / "cut.mid"
            _cut_midi(midi, seconds, score)
        command = [
            "fluidsynth",
            "-ni",
            "-q",
            "-r",
            str(RENDER_RATE),
            "-g",
            "0.6",
            "-o",
            "synth.dynamic-sample-loading=1",
        ]
        result = run_command([*command, "-F", str(wav), str(soundfont), str(score)], timeout=300.0)
        if result.returncode != 0 or not wav.is_file():
            raise KellyError(f"fluidsynth could not render {midi} ({result.stderr.strip()[-200:]}); is it a MIDI file?")
        frames = -1 if seconds is None else int(seconds * RENDER_RATE)
        stereo, _ = soundfile.read(wav, frames=frames, dtype="float32", always_2d=True)
        mono = soxr.resample(stereo.mean(axis=1), RENDER_RATE, OUTPUT_RATE)
        output_file = Path(folder) / "out.flac"
        soundfile.write(output_file, mono, OUTPUT_RATE)
        os.replace(output_file, target)
    return target
