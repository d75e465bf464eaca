"""The words that listeners wrote, put on the scale of the English ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.emotion_words import read_words
from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import find_model_set
from kelly_live.lab.corpora.emotion_words import LEAST_LISTENERS, SaidWord, read_said_words
from kelly_live.lab.training.words import check_words, fit_gains, train_words


def write_corpora(folder: Path, rows: list[tuple[str, str, str | None, int, int]]) -> Path:
    annotations = [
        {"userId": user, "externalID": song, "freeMood": word, "valenceValue": str(v), "arousalValue": str(a)}
        for user, song, word, v, a in rows
    ]
    folder.mkdir(exist_ok=True)
    (folder / "emo-trompa-mer.tar.xz").write_text(json.dumps({"annotations": annotations}), encoding="utf-8")
    return folder


LISTENERS = [f"listener {n}" for n in range(LEAST_LISTENERS)]
ROWS: list[tuple[str, str, str | None, int, int]] = [
    *((who, "a", "Alegre", 1, 1) for who in LISTENERS),
    (LISTENERS[0], "a", "triste", -1, -1),  # a second answer to the same song does not count
    *((who, "b", "tristeza" if n % 2 else "triste.", -1, -1) for n, who in enumerate(LISTENERS)),
    *((who, "c", "miedo", -1, 1) for who in LISTENERS[1:]),  # one listener too few
    (LISTENERS[0], "d", None, 1, 1),
]


def test_only_what_enough_listeners_wrote_counts_and_spellings_are_one_word(tmp_path: Path) -> None:
    words = read_said_words(write_corpora(tmp_path, ROWS) / "emo-trompa-mer.tar.xz")
    assert [(word.language, word.text, len(word.signs), *word.place) for word in words] == [
        ("es", "alegría", LEAST_LISTENERS, 1.0, 1.0),
        ("es", "tristeza", LEAST_LISTENERS, -1.0, -1.0),
    ]


@pytest.mark.parametrize("text", ["[1]", "{", json.dumps({"annotations": []})])
def test_what_holds_no_annotations_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "words.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"does not hold annotations|has no word"):
        read_said_words(path)


def test_the_research_set_gets_the_languages_and_the_open_one_english_alone(tmp_path: Path) -> None:
    corpora = write_corpora(tmp_path / "corpora", ROWS)
    train_words("research", corpora, tmp_path / "words.json")
    tables = read_words(tmp_path / "words.json")
    assert list(tables) == ["en", "es"]
    glad, sad = tables["es"].words
    # the gains bring the signs to joyful (.76, .48) and sad (-.63, -.27)
    assert (glad.valence, glad.arousal) == pytest.approx((0.695, 0.375))
    assert (sad.valence, sad.arousal, sad.dominance) == (-glad.valence, -glad.arousal, None)
    assert "AGPL" in (tmp_path / "words.md").read_text(encoding="utf-8")
    train_words("open", corpora, tmp_path / "open.json")
    assert list(read_words(tmp_path / "open.json")) == ["en"]
    assert "AGPL" not in (tmp_path / "open.md").read_text(encoding="utf-8")


def test_a_listener_who_is_left_out_is_held_against_the_others() -> None:
    agreed = SaidWord("es", "alegría", np.array([[1.0, 1.0]] * 4))
    split = SaidWord("es", "tristeza", np.array([[-1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0], [-1.0, -1.0]]))
    other = SaidWord("es", "calma", np.array([[1.0, -1.0]] * 4))
    assert len(fit_gains([agreed, split, other])) == 2
    checks = check_words([agreed, split, other])
    valence, arousal = (checks[f"a listener left out has the others' sign, {axis}"] for axis in ("valence", "arousal"))
    assert (valence[0].value, valence[1]) == (1.0, 12)
    assert (arousal[0].value, arousal[1]) == (pytest.approx(11 / 12), 12)


def test_the_open_words_are_what_its_command_writes(tmp_path: Path) -> None:
    train_words("open", None, tmp_path / "words.json")
    for name in ("words.json", "words.md"):
        assert (tmp_path / name).read_bytes() == (find_model_set("open") / name).read_bytes()
