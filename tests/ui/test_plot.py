"""The picture shows what it was given, in the same bytes each time, whole or not at all."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError, OutputError
from kelly_live.core.values import SoundingNote
from kelly_live.ui.plot import EMOTION_COLOURS, plot_session, render_session
from tests.ui import sample_session

STATES = sample_session.states(seconds=10.0)
PARAMETERS = sample_session.parameters(STATES)
NOTES = sample_session.notes(seconds=10.0)


def picture(**changes: object) -> bytes:
    values = {
        "states": STATES,
        "parameters": PARAMETERS,
        "notes": NOTES,
        "duration_seconds": 10.0,
        "parts": sample_session.PARTS,
        "title": "test",
    }
    return render_session(**(values | changes))


def pixels(png: bytes) -> np.ndarray:
    """[height, width, 3] in 0-255."""
    import io

    from matplotlib.image import imread

    return np.rint(imread(io.BytesIO(png), format="png")[..., :3] * 255).astype(int)


def share_of(colour: str, image: np.ndarray) -> float:
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return float((np.abs(image - rgb).max(axis=-1) <= 2).mean())


def test_the_same_session_is_the_same_bytes() -> None:
    first = picture()
    assert first.startswith(b"\x89PNG")
    assert b"Software" not in first
    assert picture() == first


def test_the_emotion_that_was_read_fills_its_panel() -> None:
    for emotion in ("happy", "surprised"):
        index = list(EMOTION_COLOURS).index(emotion)
        certain = tuple(1.0 if i == index else 0.0 for i in range(8))
        image = pixels(picture(states=[replace(state, probabilities=certain) for state in STATES]))
        assert share_of(EMOTION_COLOURS[emotion], image) > 0.10


def test_louder_notes_are_stronger() -> None:
    def ink(velocity: int) -> float:
        chord = [SoundingNote(0.0, 10.0, 60 + step, velocity, 1) for step in range(12)]
        return float((255 - pixels(picture(notes=chord))).mean())

    assert ink(20) < ink(70) < ink(127)


def test_percussion_has_its_own_lane() -> None:
    kick = [SoundingNote(float(second), second + 0.1, 36, 127, 10) for second in range(10)]
    changed_rows = (pixels(picture(notes=kick)) != pixels(picture(notes=[]))).any(axis=(1, 2))
    assert changed_rows[int(0.86 * len(changed_rows)) :].any()


@pytest.mark.parametrize(
    "changes",
    [
        {"states": [], "parameters": [], "notes": []},
        {"notes": []},
        {"parameters": []},
        {"states": STATES[:1], "parameters": PARAMETERS[:1]},
        {"notes": [SoundingNote(0.0, 0.1, 0, 1, 16), SoundingNote(0.0, 500.0, 127, 127, 1)]},
        {"title": "a $file_ with^ {odd} name", "duration_seconds": 0.01, "parts": {1: "$x_"}},
    ],
)
def test_sessions_at_the_edge_are_still_pictures(changes: dict[str, object]) -> None:
    assert pixels(picture(**changes)).shape == (1152, 1560, 3)


@pytest.mark.parametrize("changes", [{"duration_seconds": 0.0}, {"parameters": PARAMETERS[:-1]}])
def test_values_that_do_not_fit_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        picture(**changes)


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        plot_session(
            tmp_path / "gone" / "a.png",
            states=STATES,
            parameters=PARAMETERS,
            notes=NOTES,
            duration_seconds=10.0,
            parts={},
        )
    assert list(tmp_path.iterdir()) == []


def test_the_module_does_not_load_matplotlib_and_never_pyplot(tmp_path: Path) -> None:
    code = (
        "import sys; from kelly_live.ui.plot import plot_session; from pathlib import Path\n"
        "before = 'matplotlib' in sys.modules\n"
        "plot_session(Path(sys.argv[1]), states=[], parameters=[], notes=[], duration_seconds=1.0, parts={})\n"
        "print(before, 'matplotlib.pyplot' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png")], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False False\n"
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
