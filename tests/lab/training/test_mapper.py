"""A tiny corpus with known effects: training must find them, score them and report them in the card."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from kelly_live.core.emotion_space import category_probabilities
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTION_VAD, EMOTIONS, MODES
from kelly_live.emotion.nets.checkpoint import load_checkpoint
from kelly_live.lab.corpora.manifest import QUADRANTS
from kelly_live.lab.corpora.symbolic_features import FeatureCorpus, Features, LabelledFeatures
from kelly_live.lab.nets.mapper import KIND
from kelly_live.lab.training import mapper as training
from kelly_live.lab.training.mapper import Recipe, evaluate_mapper, train_mapper
from kelly_live.lab.training.mapper_data import (
    build_examples,
    compute_states,
    fit_rating_scale,
    list_masks,
    split_folds,
)
from kelly_live.lab.training.mapper_scores import NAMES
from kelly_live.lab.training.priors import PLACES, PRIORS
from kelly_live.mapping.net import SCALARS


def make_songs(songs: int, split: str, seed: int) -> list[LabelledFeatures]:
    """Songs whose tempo and level follow arousal, and mode valence, with noise; the register is random."""
    rng = random.Random(seed)
    rows = []
    for song in range(songs):
        for quadrant, (v, a) in QUADRANTS.items():
            major = 0.85 if v > 0 else 0.1
            modes = [0.05 / 5] * 7
            modes[MODES.index("ionian")], modes[MODES.index("aeolian")] = major, 0.95 - major
            level = 0.5 + 0.15 * a + rng.gauss(0, 0.04)
            features = Features(
                tempo=110 * 2 ** (0.3 * a + rng.gauss(0, 0.15)),
                modes=tuple(modes),
                low=60.0, centre=70 + rng.gauss(0, 4), high=84.0,
                floor=level - 0.1, level=level, ceiling=level + 0.1, variation=0.3 + rng.gauss(0, 0.02),
                timing=(0.2, 0.6, 0.2),
                onsets_per_beat=2 ** (0.4 * a + rng.gauss(0, 0.3)),
                rhythms=(0.6, 0.1, 0.1, 0.1, 0.1),
            )  # fmt: skip
            rows.append(
                LabelledFeatures(
                    "emopia", f"{split}{song}{quadrant}", f"{split}{song}", split, quadrant, v, a, features
                )
            )
    return rows


@pytest.fixture(scope="module")
def training_result(tmp_path_factory: pytest.TempPathFactory) -> tuple[training.TrainingResult, FeatureCorpus]:
    corpus = FeatureCorpus(tuple(make_songs(30, "train", 1) + make_songs(12, "val", 2)), {})
    folder = tmp_path_factory.mktemp("mapper")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "extract_corpus", lambda *_: corpus)
        run = train_mapper(
            folder, None, folder / "mapper.safetensors", Recipe(hidden_dim=8, epochs=120, learning_rate=0.02)
        )
        again = evaluate_mapper(folder, None, run.path)
    assert [s.mapper for s in again.scores] == pytest.approx([s.mapper for s in run.evaluation.scores], abs=1e-4)
    return run, corpus


def test_known_effects_are_found_on_held_out_songs(
    training_result: tuple[training.TrainingResult, FeatureCorpus],
) -> None:
    scores = {row.parameter: row for row in training_result[0].evaluation.scores}
    for name in ("tempo", "level", "rate", "modes"):
        assert scores[name].corpus - scores[name].mapper > 2 * scores[name].gain_se, name
        assert scores[name].rows == 48
    # The register has no effect: its gain is negligible.
    assert abs(scores["centre"].corpus - scores["centre"].mapper) < 0.1
    holds_by_claim = {d.claim: d.holds for d in training_result[0].evaluation.directions}
    assert holds_by_claim["arousal up: faster"]
    assert holds_by_claim["valence up: more major"]
    assert holds_by_claim["arousal up: louder"]


def test_commitment_restores_spread_only_where_the_emotion_predicts(
    training_result: tuple[training.TrainingResult, FeatureCorpus],
) -> None:
    net, _ = training.load_trained(training_result[0].path)
    gains = dict(zip(SCALARS, net.scalar_gain.tolist(), strict=True))
    assert gains["centre"] == 1.0
    assert 1.0 <= gains["tempo"] <= training.MAX_GAIN
    assert load_checkpoint(training_result[0].path, KIND).card["skilled"]["tempo"] is True
    assert load_checkpoint(training_result[0].path, KIND).card["skilled"]["centre"] is False


def test_the_card_shows_data_licences_scores_and_every_prior_with_its_source(
    training_result: tuple[training.TrainingResult, FeatureCorpus],
) -> None:
    card = training_result[0].card_path.read_text(encoding="utf-8")
    assert "CC BY-NC-SA" in card
    assert f"{training_result[0].evaluation.scores[0].mapper:.3f}" in card
    assert all(prior.source in card for prior in PRIORS)
    assert all(prior.emotion in EMOTIONS or prior.emotion in PLACES for prior in PRIORS)
    assert all(name in card for name in NAMES.values())


def test_data_overrules_a_prior() -> None:
    """A hundred songs that are fast when calm outweigh the papers' slow sadness."""
    rows = make_songs(100, "train", 3)
    backwards = [
        LabelledFeatures(r.dataset, r.piece, r.group, r.split, r.quadrant, r.valence, -r.arousal, r.features)
        for r in rows
    ]
    data = build_examples(backwards, fit_rating_scale(backwards))
    result = training.fit(data, Recipe(hidden_dim=8, epochs=120, learning_rate=0.02))
    p, vad = compute_states(data)
    tempo = result.net.predict_distribution(p, vad).quantile(0.5)[:, SCALARS.index("tempo")].detach()
    assert float(tempo[data.arousal < 0].mean()) > float(tempo[data.arousal > 0].mean())


def test_training_is_repeatable() -> None:
    rows = make_songs(6, "train", 4)
    data = build_examples(rows, fit_rating_scale(rows))
    one, two = (training.fit(data, Recipe(hidden_dim=4, epochs=10)).net.state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_folds_share_no_song() -> None:
    rows = make_songs(9, "train", 5)
    data = build_examples(rows, fit_rating_scale(rows))
    held_out_songs: list[str] = []
    for fold, rest in split_folds(data, 3, seed=0):
        assert not set(fold.groups) & set(rest.groups)
        assert len(fold) + len(rest) == len(data)
        held_out_songs += fold.groups
    assert sorted(held_out_songs) == sorted(data.groups)


def test_drawn_states_stay_in_their_quadrant_and_match_the_live_rule() -> None:
    rows = make_songs(5, "train", 6)
    data = build_examples(rows, fit_rating_scale(rows))
    _, vad = compute_states(data, torch.Generator().manual_seed(0))
    assert torch.equal(vad[:, 0].sign(), data.valence.sign())
    assert torch.equal(vad[:, 1].sign(), data.arousal.sign())
    p, vad = compute_states(data)
    reference = category_probabilities(float(vad[0, 0]), float(vad[0, 1]))
    assert p[0].tolist() == pytest.approx(reference, abs=1e-5)
    assert all(abs(EMOTION_VAD[name][2]) <= 1 for name in EMOTIONS)


def test_unmeasured_parameters_have_no_gradient() -> None:
    """A row without dynamics gives them no gradient."""
    row = make_songs(1, "train", 7)[0]
    mute = Features(**{name: getattr(row.features, name) for name in Features.__slots__} | dict.fromkeys(
        ("floor", "level", "ceiling", "variation", "timing")
    ))  # fmt: skip
    data = build_examples(
        [LabelledFeatures("vgmidi", "p", "g", "train", None, 0.2, 0.1, mute)] * 2, fit_rating_scale([])
    )
    masks = list_masks(data)
    assert {name for name, mask in masks.items() if not mask.any()} == {
        "level", "softer", "louder", "variation", "timing",
    }  # fmt: skip
    assert bool(torch.isfinite(data.scalars).all())


def test_no_music_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text("")
    with pytest.raises(ConfigError, match="no labelled music"):
        train_mapper(tmp_path, None, tmp_path / "m.safetensors")
