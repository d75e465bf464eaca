"""The public API as a program uses it: from `import kelly_live` alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

import kelly_live

RATE = 16_000


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three seconds of a chord."""
    time = np.arange(3 * RATE) / RATE
    path = tmp_path / "chord.wav"
    soundfile.write(path, sum(np.sin(2 * np.pi * hz * time) for hz in (220.0, 277.2, 329.6)) / 6.0, RATE)
    return path


def count_notes(path: Path) -> int:
    return sum(m.type == "note_on" and m.velocity > 0 for track in mido.MidiFile(path).tracks for m in track)


def test_compose_writes_files_and_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        performance = kelly_live.compose("sad", bars=2, seed=3)
        performance.write_midi(tmp_path / f"{name}.mid")
    performance.write_wav(tmp_path / "a.wav")
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()
    assert count_notes(tmp_path / "a.mid") > 10
    assert soundfile.info(tmp_path / "a.wav").duration > 4.0
    assert mido.MidiFile(tmp_path / "a.mid").tracks[0].name == "Kelly Live: sad"
    assert isinstance(performance.readings[0].state, kelly_live.EmotionState)


def test_compose_takes_a_place_a_preset_and_a_culture() -> None:
    solo = kelly_live.compose(valence=0.5, arousal=0.5, bars=2, preset="solo-piano")
    assert not any(part.channel == 10 for part in solo.parts)
    makam = kelly_live.compose("sad", bars=2, culture="turkish-makam:hicaz")
    assert any(note.cents for note in makam.notes)
    piece = kelly_live.compose("sad", bars=4, morph_to=kelly_live.EmotionOverride(emotion="excited"), morph_bars=2)
    assert piece.readings[-1].state.emotion == "excited"


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({}, "say which emotion"),
        ({"emotion": "bored"}, "one of happy"),
        ({"valence": 2.0, "arousal": 0.0}, "from -1 to 1"),
        ({"emotion": "sad", "bars": 0}, "from 1 to 1000"),
        ({"emotion": "sad", "seed": -1}, "at least 0"),
        ({"emotion": "sad", "preset": "no-such"}, "no-such"),
        ({"emotion": "sad", "culture": "western", "culture_strength": 2.0}, "from 0 to 1"),
    ],
)
def test_an_argument_that_breaks_a_rule_is_one_line(arguments: dict[str, object], rule: str) -> None:
    with pytest.raises(kelly_live.ConfigError, match=rule) as raised:
        kelly_live.compose(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_render_plays_along_with_a_recording(recording: Path, tmp_path: Path) -> None:
    performance = kelly_live.render(recording, emotion="happy", device="cpu")
    performance.write_midi(tmp_path / "out.mid")
    assert count_notes(tmp_path / "out.mid") > 10
    assert performance.end_seconds > 3.0
    assert performance.readings[-1].state.emotion == "happy"


def test_analyze_gives_a_state_a_hop_and_means(recording: Path) -> None:
    analysis = kelly_live.analyze(str(recording), device="cpu")
    assert len(analysis.states) == 12
    assert analysis.seconds == pytest.approx(3.0, abs=0.01)
    assert sum(analysis.probabilities.values()) == pytest.approx(1.0, abs=1e-4)
    assert set(analysis.probabilities) == set(kelly_live.EMOTIONS)
    assert -1.0 <= analysis.valence <= 1.0
    with pytest.raises(kelly_live.AudioError):
        kelly_live.analyze("no-such.wav", device="cpu")


def test_every_name_that_is_promised_is_there() -> None:
    for name in kelly_live.__all__:
        assert getattr(kelly_live, name) is not None
        assert name in dir(kelly_live)
        assert name == "__version__" or name in (kelly_live.__doc__ or "") or name.isupper() or name.endswith("Error")
    assert issubclass(kelly_live.EngineError, kelly_live.KellyError)
    with pytest.raises(AttributeError, match="no attribute 'compost'"):
        kelly_live.compost  # noqa: B018


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = (
        "import sys, kelly_live\n"
        "heavy = {'torch', 'numpy', 'scipy', 'librosa', 'matplotlib', 'mido', 'sounddevice', 'click'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr


def test_the_example_plays_into_whatever_port_there_is(recording: Path) -> None:
    pytest.importorskip("torch")
    example = Path(__file__).parent.parent / "examples" / "embed.py"
    result = subprocess.run(
        [sys.executable, str(example), str(recording)], capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stderr
    assert f"listening to {recording.name!r}, playing into " in result.stdout
    assert "BPM: " in result.stdout
