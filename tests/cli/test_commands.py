"""Each command run whole, with the shipped nets: what it writes, and what it says to bad input."""

from __future__ import annotations

import json
import os
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from kelly_live.audio.decode import read_blocks
from kelly_live.cli import main
from kelly_live.core.resources import find_resources
from kelly_live.core.values import EMOTIONS

RATE = 16_000


def run(*args: object) -> int:
    """The exit code of `kelly-live ARGS`."""
    with pytest.raises(SystemExit) as stopped:
        main([str(arg) for arg in args])
    return int(stopped.value.code or 0)


def complaints(err: str) -> list[str]:
    """The errors in what went to stderr; on a slow machine lines of progress stand beside them."""
    return [line for line in err.splitlines() if line.startswith("kelly-live:")]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Six seconds of a rising and falling chord."""
    time = np.arange(6 * RATE) / RATE
    swell = 0.4 * (1.1 + np.sin(2 * np.pi * time / 6.0)) / 2.1
    samples = sum(np.sin(2 * np.pi * hz * time) for hz in (220.0, 277.2, 329.6)) / 3.0 * swell
    path = tmp_path / "chord.wav"
    soundfile.write(path, samples, RATE)
    return path


def sounding_notes(path: Path) -> list[tuple[int, int]]:
    """(channel 1-16, pitch) of each note-on."""
    return [
        (message.channel + 1, message.note)
        for message in mido.MidiFile(path)
        if message.type == "note_on" and message.velocity > 0
    ]


def test_compose_writes_a_band_in_the_tempo_of_the_feeling(tmp_path: Path) -> None:
    lengths = {}
    for emotion in ("sad", "excited"):
        assert run("compose", "--emotion", emotion, "--bars", 8, "--midi", tmp_path / f"{emotion}.mid") == 0
        notes = sounding_notes(tmp_path / f"{emotion}.mid")
        assert {channel for channel, _ in notes} >= {1, 2, 3}
        lengths[emotion] = mido.MidiFile(tmp_path / f"{emotion}.mid").length
    assert lengths["excited"] < 0.8 * lengths["sad"]


def test_compose_is_deterministic_and_the_seed_matters(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        args = ("compose", "--valence", 0.5, "--arousal", -0.4, "--bars", 4, "--seed", seed)
        assert run(*args, "--midi", tmp_path / f"{name}.mid", "--wav", tmp_path / f"{name}.wav") == 0
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    assert (tmp_path / "a.mid").read_bytes() != (tmp_path / "c.mid").read_bytes()


def test_compose_morphs_from_here_to_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From sad to excited in 8 of 16 bars the tempo rises, arrives by bar 10 and stays; what stays sad ends slower."""
    tempos = {}
    for name, more in (("still", ()), ("morph", ("--morph-to", "excited", "--morph-bars", 8))):
        assert run("compose", "--emotion", "sad", *more, "--bars", 16, "--midi", tmp_path / f"{name}.mid") == 0
        track, beat, tempos[name] = mido.MidiFile(tmp_path / f"{name}.mid").tracks[0], 0, {}
        for message in track:
            beat += message.time
            if message.type == "set_tempo":
                tempos[name][beat / 480] = mido.tempo2bpm(message.tempo)
    assert len([beat for beat in tempos["still"] if beat < 52.0]) == 1
    assert tempos["still"][60.0] == pytest.approx(0.5 * tempos["still"][0.0], abs=0.25)
    morph_tempos = tempos["morph"]
    assert list(morph_tempos.values()) == sorted(morph_tempos.values())
    assert tempos["still"][0.0] == morph_tempos[0.0] < 0.8 * max(morph_tempos.values())
    assert 24.0 < max(morph_tempos) <= 40.0
    assert "sad (V -0.63 A -0.27 D -0.33): " in (output := capsys.readouterr().out)
    assert "in 8 bars to excited (V +0.62 A +0.75 D +0.38): " in output


@pytest.mark.parametrize("wrong", ["hangry", "0.5", "0.5,2", "0.5,x", "nan,0", "0,0,0,0", ""])
def test_a_morph_to_no_place_is_refused(wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compose", "--emotion", "sad", "--morph-to", wrong, "--midi", tmp_path / "x.mid") == 2
    assert "is no place: give one of happy, " in capsys.readouterr().err


def test_render_morphs_away_from_what_it_hears(recording: Path, tmp_path: Path) -> None:
    """Frozen and calm at first; in two bars at V, A, D of its own."""
    target = tmp_path / "out.mid"
    morph_options = ("--emotion", "sad", "--freeze", "--morph-to", "0.6,0.9,0.4", "--morph-bars", 2)
    assert run("render", recording, "--midi", target, *morph_options) == 0
    tempos = [mido.tempo2bpm(m.tempo) for m in mido.MidiFile(target).tracks[0] if m.type == "set_tempo"]
    assert tempos[-1] > 1.2 * tempos[0]


@pytest.mark.parametrize("args", [(), ("--valence", "0.5"), ("--arousal", "0.5"), ("--dominance", "1")])
def test_compose_needs_to_know_the_feeling(args: tuple[str, ...], tmp_path: Path) -> None:
    assert run("compose", *args, "--midi", tmp_path / "x.mid") == 2


def test_render_writes_what_was_asked_and_the_same_bytes_again(recording: Path, tmp_path: Path) -> None:
    outputs = []
    for turn in ("first", "second"):
        folder = tmp_path / turn
        folder.mkdir()
        files = [folder / "out.mid", folder / "out.wav", folder / "out.png"]
        assert run("render", recording, "--midi", files[0], "--wav", files[1], "--plot", files[2]) == 0
        outputs.append([file.read_bytes() for file in files])
    assert outputs[0] == outputs[1]
    wav, rate = soundfile.read(tmp_path / "first" / "out.wav")
    assert len(wav) / rate > 6.0
    assert 0.1 < np.abs(wav).max() <= 1.0
    assert outputs[0][2].startswith(b"\x89PNG")


def test_render_applies_the_override(recording: Path, tmp_path: Path) -> None:
    lengths = []
    for emotion in ("sad", "excited"):
        target = tmp_path / f"{emotion}.mid"
        assert run("render", recording, "--midi", target, "--emotion", emotion, "--freeze") == 0
        beats = mido.MidiFile(target)
        tempos = [m.tempo for m in beats.tracks[0] if m.type == "set_tempo"]
        lengths.append(mido.tempo2bpm(tempos[-1]))
    assert lengths[0] < lengths[1]


def test_render_needs_an_output(recording: Path) -> None:
    assert run("render", recording) == 2


def test_analyze_json_is_one_whole_object_a_file(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("analyze", recording, recording, "--json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0] == lines[1]  # nothing of one file leaks into the next
    report = json.loads(lines[0])
    assert set(report) == {
        "path", "duration", "emotions", "valence", "arousal", "dominance", "confidence", "windows",
    }  # fmt: skip
    assert report["duration"] == pytest.approx(6.0, abs=0.01)
    assert tuple(report["emotions"]) == EMOTIONS
    assert sum(report["emotions"].values()) == pytest.approx(1.0, abs=1e-4)
    assert [window["time"] for window in report["windows"]] == pytest.approx(np.arange(1, 25) * 0.25)
    assert set(report["windows"][0]) == {"time", "emotions", "valence", "arousal", "dominance", "confidence"}


def test_analyze_prints_a_line_a_file(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("analyze", recording, "--words", "en") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{recording}  6.0 s  ")
    assert "confidence" in line


def test_analyze_goes_on_after_a_bad_file(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("analyze", tmp_path / "none.wav", recording, "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["path"] == str(recording)
    (complaint,) = complaints(err)
    assert "none.wav" in complaint


def test_demo_writes_its_three_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("demo", "--out", tmp_path / "deep" / "demo") == 0
    out = capsys.readouterr().out
    for name in ("demo.mid", "demo.wav", "demo.png"):
        path = tmp_path / "deep" / "demo" / name
        assert path.stat().st_size > 1000
        assert str(path) in out
    notes = sounding_notes(tmp_path / "deep" / "demo" / "demo.mid")
    assert {channel for channel, _ in notes} >= {1, 2, 3, 10}
    assert len({pitch % 12 for channel, pitch in notes if channel == 2}) >= 3  # the harmony moves
    mix, rate = soundfile.read(tmp_path / "deep" / "demo" / "demo.wav", dtype="float32")
    recording = find_resources("presets") / "demo" / "recording.ogg"
    player = np.concatenate(list(read_blocks(recording, rate)))
    heard = mix.mean(axis=1)[: len(player)]
    assert np.corrcoef(heard, player[: len(heard)])[0, 1] > 0.5  # the player is half of what sounds
    assert not [name for name in os.listdir(tmp_path / "deep" / "demo") if name.startswith(".")]


BAD_AUDIO = {
    "empty.wav": b"",
    "text.wav": b"this is not a recording\n" * 20,
    "header-only.wav": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "noise.mp3": bytes(range(256)) * 40,
}


@pytest.mark.parametrize("name", sorted(BAD_AUDIO))
@pytest.mark.parametrize("command", ["analyze", "render"])
def test_what_is_not_audio_is_one_line(
    name: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(BAD_AUDIO[name])
    extra = ("--midi", tmp_path / "out.mid") if command == "render" else ()
    assert run(command, path, *extra) == 1
    err = capsys.readouterr().err
    assert err.startswith("kelly-live: ")
    assert len(complaints(err)) == 1
    assert name in err
    assert sorted(os.listdir(tmp_path)) == [name]


def test_a_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("analyze", tmp_path) == 1
    assert len(complaints(capsys.readouterr().err)) == 1


def odd_audio(name: str) -> tuple[np.ndarray, int]:
    rng = np.random.default_rng(1)
    noise = rng.normal(0.0, 0.1, 2 * RATE).astype(np.float32)
    with_nan = noise.copy()
    with_nan[1000:9000] = np.nan
    return {
        "silent": (np.zeros(2 * RATE, np.float32), RATE),
        "clipped": (np.sign(noise), RATE),
        "nan": (with_nan, RATE),
        "one-sample": (noise[:1], RATE),
        "8k": (noise[: 2 * 8000], 8000),
        "192k": (np.repeat(noise, 12), 192_000),
        "8-channels": (np.stack([noise] * 8, axis=1), 48_000),
    }[name]


@pytest.mark.parametrize("name", ["silent", "clipped", "nan", "one-sample", "8k", "192k", "8-channels"])
def test_odd_audio_gives_a_sensible_result(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples, rate = odd_audio(name)
    path = tmp_path / f"{name}.wav"
    soundfile.write(path, samples, rate, subtype="FLOAT")
    assert run("analyze", path, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    numbers = [report[axis] for axis in ("valence", "arousal", "dominance", "confidence")]
    assert np.isfinite(numbers).all()
    assert report["windows"]
    if name == "silent":
        assert report["confidence"] < 0.2
        assert max(report["emotions"], key=report["emotions"].get) == "neutral"
    assert run("render", path, "--midi", tmp_path / "out.mid") == 0
    assert sounding_notes(tmp_path / "out.mid")


def test_a_truncated_file_is_used_as_far_as_it_goes(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full_bytes = recording.read_bytes()
    short_file = tmp_path / "cut.wav"
    short_file.write_bytes(full_bytes[: len(full_bytes) // 2])
    assert run("analyze", short_file, "--json") == 0
    assert 2.5 < json.loads(capsys.readouterr().out)["duration"] < 3.5


@pytest.mark.parametrize("option", ["--midi", "--wav", "--plot"])
def test_outputs_that_cannot_be_written_are_refused_before_the_work(
    option: str, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("render", recording, option, tmp_path / "no" / "such" / "file") == 1
    assert "make it first" in capsys.readouterr().err
    assert run("render", recording, option, tmp_path) in (1, 2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_line(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    locked_folder = tmp_path / "locked"
    locked_folder.mkdir()
    locked_folder.chmod(0o555)
    assert run("render", recording, "--midi", locked_folder / "out.mid") == 1
    assert len(complaints(capsys.readouterr().err)) == 1


def test_a_folder_that_takes_no_files_even_from_root_is_one_line(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("render", recording, "--midi", "/proc/out.mid") == 1
    assert len(complaints(capsys.readouterr().err)) == 1


def test_two_outputs_of_one_name_are_refused(recording: Path, tmp_path: Path) -> None:
    assert run("render", recording, "--midi", tmp_path / "x", "--wav", tmp_path / "x") == 1


def test_a_recording_is_never_written_over(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, folder = recording.read_bytes(), recording.parent
    assert run("render", recording, "--wav", recording) == 1
    assert "it is the file that is read" in capsys.readouterr().err
    assert run("render", folder, "--into", folder, "--write", "wav") == 1
    assert "it is a file that is read" in capsys.readouterr().err
    assert recording.read_bytes() == before


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_one_line(
    device: str, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    is_available = torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()
    if is_available:
        pytest.skip(f"this machine has {device}")
    assert run("analyze", recording, "--device", device) == 1
    assert len(complaints(capsys.readouterr().err)) == 1


@pytest.mark.parametrize("command", [("analyze",), ("render", "--midi", "out.mid")], ids=lambda command: command[0])
def test_an_emotion_reader_that_is_not_installed_is_one_line(
    command: tuple[str, ...], recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(command[0], recording, *command[1:], "--reader", "aura") == 2
    (line,) = complaints(capsys.readouterr().err)
    assert "there is no emotion reader 'aura'; it must be one of kelly" in line


@pytest.mark.parametrize("group", ["profile", "config", "study"])
def test_a_group_without_a_command_shows_its_help(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([group])
    assert stopped.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"Usage: kelly-live {group} [OPTIONS] COMMAND [ARGS]..."
    assert "Commands:" in lines


def test_a_missing_argument_is_said_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["completion"])
    assert capsys.readouterr().err.splitlines()[-1].endswith("Choose from: bash, zsh, fish")
