"""What the training of the open emotion net does differently: targets, shares and the speakers' exchange."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kelly_live.core.values import EMOTIONS
from kelly_live.emotion.nets.members import WIDTHS
from kelly_live.lab.corpora.manifest import Clip, read_manifest
from kelly_live.lab.corpora.targets import blend_quadrant_categories, create_clip_targets
from kelly_live.lab.training.emotion import scale_to_shares
from kelly_live.lab.training.labelled_windows import LabelledWindows
from kelly_live.lab.training.scores import select_description
from kelly_live.lab.training.speaker_swap import MIN_CLIPS, SpeakerSwap
from kelly_live.lab.training.windows import Windows


def one_hot(name: str) -> tuple[float, ...]:
    return tuple(float(emotion == name) for emotion in EMOTIONS)


def make_windows(means: list[float]) -> Windows:
    """One window a clip, all of whose numbers are the clip's mean."""
    arrays = {name: np.repeat(np.array(means, np.float32)[:, None], width, 1) for name, width in WIDTHS.items()}
    return Windows(**arrays, clip=np.arange(len(means)), end_seconds=np.ones(len(means), np.float32))


def test_half_of_a_target_is_what_listeners_chose(tmp_path: Path) -> None:
    line = (
        '{"audio_path": "a.opus", "dataset": "crema_d", "kind": "speech", "emotions": [0, 1, 0, 0, 0, 0, 0, 0], '
        '"voice_votes": {"A": 0, "D": 0, "F": 0, "H": 0, "N": 0, "S": 4}}\n'
        '{"audio_path": "b.opus", "dataset": "crema_d", "kind": "speech", "emotions": [0, 1, 0, 0, 0, 0, 0, 0], '
        '"voice_votes": {"A": 0, "D": 0, "F": 0, "H": 0, "N": 10, "S": 0}}\n'
        '{"audio_path": "c.opus", "dataset": "other", "emotions": [0, 1, 0, 0, 0, 0, 0, 0]}\n'
    )
    (tmp_path / "manifest.jsonl").write_text(line, encoding="utf-8")
    clips = read_manifest(tmp_path / "manifest.jsonl", ("crema_d",))
    targets = create_clip_targets(clips, np.arange(2), np.ones(2))
    np.testing.assert_allclose(targets.emotions[0], one_hot("sad"))
    np.testing.assert_allclose(targets.emotions[1][[EMOTIONS.index("sad"), EMOTIONS.index("neutral")]], 0.5)
    assert [int(label) for label in targets.label] == [EMOTIONS.index("sad")] * 2  # the actor's instruction


def test_quadrants_blend_at_their_borders() -> None:
    assert blend_quadrant_categories(np.array([1.0, 1.0]))[EMOTIONS.index("happy")] > 0.3
    sad, at_border = (
        blend_quadrant_categories(np.array(affect))[EMOTIONS.index("sad")] for affect in ([-1, -1], [0, -1])
    )
    assert sad > 0.9
    assert at_border == pytest.approx(0.5, abs=0.01)


def test_each_data_set_is_drawn_as_often_as_its_share_says() -> None:
    weights = scale_to_shares(np.array([1.0, 3.0, 5.0]), ["a", "a", "b"], {"a": 0.2, "b": 0.8})
    np.testing.assert_allclose(weights, [0.05, 0.15, 0.8])


def test_voices_get_another_speakers_mean_and_music_keeps_its_own() -> None:
    clips = [
        Clip(Path(f"{n}.wav"), "x", kind="speech", speaker=speaker, emotions=one_hot("sad"))
        for speaker in ("one", "two")
        for n in range(MIN_CLIPS)
    ]
    clips.append(Clip(Path("song.wav"), "y", kind="music", speaker="song"))
    windows = make_windows([0.0] * MIN_CLIPS + [4.0] * MIN_CLIPS + [9.0])
    swap = SpeakerSwap(LabelledWindows.of(clips, windows), seed=1)
    rows = np.arange(len(clips))
    drawn = swap(select_description(windows, rows), rows, 1.0)
    assert 0.0 < float(drawn.voice[:MIN_CLIPS].max()) <= 4.0
    assert 0.0 <= float(drawn.voice[MIN_CLIPS:-1].min()) < 4.0
    torch.testing.assert_close(drawn.voice[-1], torch.full((WIDTHS["voice"],), 9.0))
    torch.testing.assert_close(drawn.tonality, select_description(windows, rows).tonality)
