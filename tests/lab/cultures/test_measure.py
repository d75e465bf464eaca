"""From corpus to file on a tiny corpus, and the shipped files are what the command makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.cultures.library import CULTURES, PLAIN, list_folders
from kelly_live.cultures.preset import PARAMETERS, load_preset_file
from kelly_live.lab.cultures.measure import measure_all
from kelly_live.lab.cultures.recipe import read_index
from kelly_live.lab.cultures.recipes import RECIPES
from tests.lab.cultures.test_readers import pack_corpus

CORPORA = Path(os.environ.get("KELLY_LIVE_CORPORA", Path(__file__).parents[4] / "shared" / "data" / "cultures"))
INDEX = "dir\torigin\tcommit\tlicence\tfiles\tkB\nklezmer-beregovski\tsomebody/somewhere\tabc123\tno licence\t6\t1\n"


FREYGISH = ("g", "a-", "b", "cc", "dd", "ee-", "ff", "gg", "ff", "ee-", "dd", "cc", "b", "a-", "g", "g")


def freylekhs(number: int) -> str:
    melody = "\n".join(f"8{letter}" for letter in FREYGISH)
    return f"!!!OTL: {number}\n!!!Mode:\tFreygish\n**kern\n*k[b-e-a-]\n*G:frey\n*M2/4\n=1\n{melody}\n==\n*-\n"


def test_a_corpus_becomes_a_preset_that_loads(tmp_path: Path) -> None:
    files = {f"corpus/beregovski{n:03}.krn": freylekhs(n) for n in range(6)}
    pack_corpus(tmp_path, "klezmer-beregovski", files)
    (tmp_path / "INDEX.tsv").write_text(INDEX, encoding="utf-8")
    lines: list[str] = []
    (preset,) = measure_all(tmp_path, tmp_path, ("klezmer",), lines.append)
    read = load_preset_file(tmp_path / "klezmer.yaml")
    assert read == preset
    assert "klezmer" in lines[0]
    assert read.modes[0].name == "freygish"
    assert read.modes[0].scale_cents is not None
    assert read.modes[0].scale_cents.value == (0, 100, 400, 500, 700, 800, 1000)
    assert read.metres is not None
    assert (read.metres.value, read.metres.n) == ((("2/4", 1.0),), 6)
    assert (read.credits[0].origin, read.credits[0].licence) == ("somebody/somewhere @abc123", "no licence")
    assert read.tempo_bpm is not None
    assert read.tempo_bpm.source == "cited"  # the corpus says none
    header = (tmp_path / "klezmer.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert "kelly-live lab measure-cultures CORPORA --out presets/cultures --only klezmer" in header


def test_a_missing_corpus_or_an_unknown_preset_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recipe for klezmr"):
        measure_all(tmp_path, tmp_path, ("klezmr",), lambda line: None)
    with pytest.raises(ConfigError, match=r"INDEX\.tsv cannot be read"):
        measure_all(tmp_path, tmp_path, ("klezmer",), lambda line: None)
    (tmp_path / "INDEX.tsv").write_text(INDEX, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"klezmer-beregovski\.tar\.xz cannot be read"):
        measure_all(tmp_path, tmp_path, ("klezmer",), lambda line: None)
    assert not (tmp_path / "klezmer.yaml").exists()


def test_there_is_a_recipe_for_every_shipped_preset() -> None:
    assert {recipe.name for recipe in RECIPES} == {*CULTURES, PLAIN}
    for recipe in RECIPES:
        assert {*recipe.cited_parameters, *recipe.absent} <= set(PARAMETERS)
        assert all(value.source == "cited" for value in recipe.cited_parameters.values())


@pytest.mark.skipif(not (CORPORA / "INDEX.tsv").is_file(), reason="the corpora are not beside the checkout")
@pytest.mark.parametrize("name", ["klezmer", "arab-maqam", "javanese-gamelan", "cuban-son", "carnatic", "western"])
def test_the_shipped_file_is_what_the_command_makes(name: str, tmp_path: Path) -> None:
    measure_all(CORPORA, tmp_path, (name,), lambda line: None)
    shipped_file = list_folders()[-1] / f"{name}.yaml"
    assert (tmp_path / f"{name}.yaml").read_text(encoding="utf-8") == shipped_file.read_text(encoding="utf-8")


@pytest.mark.skipif(not (CORPORA / "INDEX.tsv").is_file(), reason="the corpora are not beside the checkout")
def test_every_credited_corpus_is_in_the_index() -> None:
    index = read_index(CORPORA)
    assert {corpus for recipe in RECIPES for corpus in recipe.credits} <= set(index)
