"""Each corpus format read as a musician would: these signs, these notes."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.pitch import octave_distance_cents
from kelly_live.cultures.preset import Known, Mode
from kelly_live.lab.cultures.corpora.abc import read_abc
from kelly_live.lab.cultures.corpora.archive import read_file, read_files
from kelly_live.lab.cultures.corpora.kern import read_kern, read_pitch
from kelly_live.lab.cultures.corpora.makam import find_peak, retune_mode
from kelly_live.lab.cultures.corpora.musicxml import read_parts
from kelly_live.lab.cultures.corpora.scores import find_nuba
from kelly_live.lab.cultures.corpora.symbtr import COMMA, read_symbtr
from kelly_live.lab.cultures.corpora.tunings import average_degrees, find_common_degrees
from kelly_live.lab.cultures.corpora.workbook import name_tetrachords
from kelly_live.lab.cultures.tune import compute_bar_quarters, compute_beat_quarters


def pack_corpus(folder: Path, name: str, files: dict[str, str]) -> Path:
    """`folder` with a corpus `name`.tar.xz that holds `files`."""
    with tarfile.open(folder / f"{name}.tar.xz", "w:xz") as tar:
        for inside, text in files.items():
            info = tarfile.TarInfo(f"{name}/{inside}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return folder


def test_kern_letters_are_octaves() -> None:
    assert [read_pitch(token) for token in ("4c", "8cc", "4C", "4CC", "16f#", "4B-", "4.r")] == [
        60, 72, 48, 36, 66, 58, None,
    ]  # fmt: skip


def test_a_kern_tune_has_its_pick_up_its_ties_and_its_graces() -> None:
    tune = read_kern("**kern\n*k[f#]\n*G:\n*M3/4\n8d\n=1\n4g\n8qa\n[4b\n4b]\n=2\n2.ddT\n==\n*-\n")
    assert tune is not None
    assert list(tune.cents) == [-500.0, 0.0, 400.0, 700.0]
    assert tune.onsets is not None
    assert tune.durations is not None
    assert list(tune.onsets) == [-0.5, 0.0, 1.0, 3.0]
    assert list(tune.durations) == [0.5, 1.0, 2.0, 3.0]
    assert (tune.tonic, tune.metre, tune.beat) == (67.0, "3/4", 1.0)
    assert tune.ornaments == {"grace": 1, "trill": 1}


def test_kern_without_a_key_is_no_tune() -> None:
    assert read_kern("**kern\n*M2/4\n4c\n4d\n*-\n") is None


@pytest.mark.parametrize("damage", ["*M3/0", "*M2/4\n0" + "9" * 5000 + "c", "4c\n" + "1" * 400 + "c"])
def test_kern_with_an_impossible_number_is_no_tune_or_a_finite_one(damage: str) -> None:
    tune = read_kern(f"**kern\n*G:\n{damage}\n4g\n*-\n")
    assert tune is None or np.isfinite(tune.cents).all()


@pytest.mark.parametrize("fields", ["M:3/4\nL:1/0", "M:3/4\nL:1/8\nQ:1/0=100", "M:3/4\nL:" + "9" * 5000 + "/8"])
def test_abc_with_an_impossible_number_is_no_tune(fields: str) -> None:
    assert read_abc(f"X:1\n{fields}\nK:G\n" + "GABc d2B2 | " * 4) is None


def test_abc_broken_rhythm_triplets_accidentals_and_ties() -> None:
    tune = read_abc("X:1\nR:Polska\nM:3/4\nL:1/8\nQ:1/4=100\nK:Dm\nA>B (3cde ^c2 | =B4- B2 | {fe}d6 | A2B2c2 | d6 |")
    assert tune is not None
    #                             A    B-    c   d   e    c#   B(natural, tied)  d  A    B-    c   d
    assert list(tune.cents) == [-500, -400, -200, 0, 200, -100, -300, 0, -500, -400, -200, 0]
    assert tune.durations is not None
    assert np.allclose(tune.durations[:7], [0.75, 0.25, 1 / 3, 1 / 3, 1 / 3, 1.0, 3.0])
    assert (tune.tonic, tune.tempo, tune.mode, tune.group) == (74.0, 100.0, "aeolian", "polska")
    assert tune.ornaments == {"grace": 2}


def test_abc_with_a_pick_up_puts_the_first_bar_line_at_zero() -> None:
    tune = read_abc("X:1\nM:2/4\nL:1/8\nK:G\nD | GABc d2B2 | GABc d4 | GABc d2B2 |")
    assert tune is not None
    assert tune.onsets is not None
    assert list(tune.onsets[:3]) == [-0.5, 0.0, 0.5]


SCORE = """<score-partwise><part id="P1"><measure>
<attributes><divisions>2</divisions><key><fifths>4</fifths></key>
<time><beats>2</beats><beat-type>4</beat-type></time></attributes>
<note><grace/><pitch><step>B</step><octave>4</octave></pitch></note>
<note><pitch><step>C</step><alter>1</alter><octave>5</octave></pitch><duration>2</duration>
<tie type="start"/><lyric/></note>
<note><pitch><step>C</step><alter>1</alter><octave>5</octave></pitch><duration>1</duration><tie type="stop"/></note>
<note><pitch><step>E</step><octave>4</octave></pitch><duration>1</duration></note>
<note><chord/><pitch><step>G</step><octave>4</octave></pitch><duration>1</duration></note>
</measure><measure><attributes><time><beats>3</beats><beat-type>4</beat-type></time></attributes>
<note><rest/><duration>2</duration></note>
<note><pitch><step>F</step><octave>5</octave></pitch><duration>4</duration>
<notations><ornaments><trill-mark/></ornaments></notations></note>
</measure></part></score-partwise>"""


def test_a_musicxml_part_is_cut_where_its_metre_changes() -> None:
    (part,) = read_parts(SCORE.encode(), "score.xml")
    first, second = part.stretches
    assert (first.metre, first.pitches, first.onsets, first.lengths) == ("2/4", [73.0, 67.0], [0.0, 1.5], [1.5, 0.5])
    assert (second.metre, second.pitches, second.onsets) == ("3/4", [77.0], [1.0])
    assert (first.ornaments["grace"], second.ornaments["trill"]) == (1, 1)
    assert (part.fifths, part.sung_notes) == (4, 1)
    with pytest.raises(ConfigError, match=r"score\.xml is not MusicXML"):
        read_parts(b"<score", "score.xml")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("<divisions>2", "<divisions>zero"), ("<step>F", "<step>H"), ("<duration>4", "<duration>nought")],
)
def test_a_musicxml_number_that_is_none_is_refused_in_a_line(right: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"^score\.xml holds an impossible pitch or length; .*$"):
        read_parts(SCORE.replace(right, wrong).encode(), "score.xml")


def symbtr_score(commas: list[int]) -> str:
    head = "Sira\tKod\tNota53\tNotaAE\tKoma53\tKomaAE\tPay\tPayda\tMs\tLNS\tBas\tSoz1\tOffset"
    usul = "1\t51\t\t\t0\t0\t9\t8\t0\t0\t0\tAksak\t0.0"
    notes = [f"{i}\t9\tx\tx\t{comma}\t{comma}\t1\t8\t400\t95\t96\t\t0" for i, comma in enumerate(commas, 2)]
    grace = "99\t8\tx\tx\t300\t300\t0\t0\t0\t99\t96\t\t0"
    return "\n".join([head, usul, *notes[:4], grace, *notes[4:]])


def test_symbtr_counts_commas_from_the_final_that_most_scores_share(tmp_path: Path) -> None:
    tune = [309, 314, 326, 331, 340, 331, 326, 314, 309, 314, 326, 309]  # a hicaz tetrachord and its fifth
    files = {f"txt/hicaz--sarki--aksak--{n}--anon.txt": symbtr_score(tune) for n in range(3)}
    files["txt/hicaz--sarki--aksak--odd--anon.txt"] = symbtr_score([*tune[:-1], 331])
    tunes = read_symbtr(pack_corpus(tmp_path, "symbtr", files))
    assert len(tunes) == 4
    for one in tunes:
        assert one.mode == "hicaz"
        assert one.cents[1] == pytest.approx(5 * COMMA)
        assert (one.metre, one.group, one.tempo) == ("9/8", "Aksak 9/8", pytest.approx(75.0))
        assert one.ornaments == {"grace": 1}


def test_a_missing_corpus_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"symbtr\.tar\.xz cannot be read"):
        read_symbtr(tmp_path)
    pack_corpus(tmp_path, "essen", {"a.krn": "x"})
    with pytest.raises(ConfigError, match=r"has no b\.krn"):
        read_file(tmp_path, "essen", "b.krn")
    assert [name for name, _ in read_files(tmp_path, "essen", lambda inside: True)] == ["a.krn"]
    (tmp_path / "essen.tar.xz").write_bytes(b"not an archive")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_file(tmp_path, "essen", "a.krn")


@pytest.mark.parametrize(
    ("metre", "beat", "bar"),
    [("4/4", 1.0, 4.0), ("6/8", 1.5, 3.0), ("9/8", 1.5, 4.5), ("7/8", 1.0, 3.5), ("2/2", 2, 4)],
)
def test_the_beat_of_a_metre(metre: str, beat: float, bar: float) -> None:
    assert compute_beat_quarters(metre) == beat
    assert compute_bar_quarters(metre) == bar


def test_a_japanese_song_is_named_by_its_tetrachords() -> None:
    assert name_tetrachords([0, 3, 5, 7, 10, 12, 7, 0]) == "minyo"
    assert name_tetrachords([0, 1, 5, 7, 8, 12, 7, 0]) == "miyako-bushi"
    assert name_tetrachords([0, 2, 5, 7, 10, 0, 2, 5]) == "ritsu-minyo"
    assert name_tetrachords([0, 1, 2, 3, 4, 5, 6, 7]) is None


def test_a_nuba_is_found_in_a_title_with_or_without_its_marks() -> None:
    assert find_nuba("bṭāyḥī raml al-māyah") == "raml-al-maya"
    assert find_nuba("basīṭ al-māyah") == "al-maya"
    assert find_nuba("Quddam Iraq Ajam") == "iraq-al-ajam"
    assert find_nuba("Modelo") is None


def test_degrees_on_which_scales_agree() -> None:
    rng = np.random.default_rng(5)
    scales = [
        tuple(np.array([0.0, 150.0, 300.0, 500.0, 700.0]) + rng.normal(0, 8, 5) * [0, 1, 1, 1, 1]) for _ in range(12)
    ]
    scales[0] = (*scales[0], 950.0)  # one singer's own tone
    assert find_common_degrees(scales, most=7) == pytest.approx([0, 150, 300, 500, 700], abs=8)
    assert average_degrees([(0.0, 240.0, 1200.0), (0.0, 250.0, 1190.0), (0.0, 1200.0)], 2) == ((0.0, 245.0), 5.0)


def histogram(*peaks: float) -> np.ndarray:
    distances = octave_distance_cents(np.arange(120) * 10.0, np.array(peaks)[:, None])
    return np.exp(-0.5 * (distances / 15.0) ** 2).sum(axis=0)


def test_a_performed_peak_is_found_between_bins_and_beside_the_notated_degree() -> None:
    performed_histogram = histogram(3.0, 152.0, 498.0)
    assert find_peak(performed_histogram, 180.0) == pytest.approx(152.0, abs=3.0)
    assert find_peak(performed_histogram, 300.0) is None

    def create_known(value: object) -> Known:  # type: ignore[type-arg]
        return Known(value, "measured", 9, "notes", "x")

    notated_mode = Mode(
        "ussak", "Uşşak", None, create_known((0.0, 181.1, 300.0, 498.1)), create_known((0.4, 0.2, 0.2, 0.2)), None, None
    )
    tuned_scale = retune_mode(notated_mode, performed_histogram, 50, "performed").scale_cents
    assert tuned_scale is not None
    assert tuned_scale.value == pytest.approx((0.0, 149.0, 300.0, 495.0), abs=4.0)
    assert (tuned_scale.n, tuned_scale.reference) == (50, "performed")
