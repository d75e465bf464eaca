"""A language helps where its listeners agree with each other and differ from the others."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.listener_ratings import (
    CHORDS_FILE,
    FILE,
    MOODS,
    RATED,
    TROMPA_FILE,
    Annotations,
    compute_annotation_gains,
    compute_language_gains,
    format_language_gains,
    read_annotations,
    read_mode_preferences,
    read_ratings,
)
from kelly_live.lab.training.culture import format_listeners_report, summarise_listeners


def make_ratings(shift: float) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(1)
    excerpts = rng.uniform(0.3, 0.7, (12, len(RATED)))
    ratings = excerpts + 0.1 * rng.standard_normal((40, 12, len(RATED)))
    ratings[20:] += shift
    return np.clip(ratings, 0, 1), ["xx"] * 20 + ["yy"] * 20


def test_listeners_who_differ_by_language_give_a_gain() -> None:
    *_, overall = compute_language_gains(*make_ratings(0.2), repeats=2)
    assert overall.low > 0.2


def test_listeners_who_agree_give_no_gain() -> None:
    gains = compute_language_gains(*make_ratings(0.0), repeats=2)
    assert [g.language for g in gains] == ["xx", "yy", "all"]
    assert gains[-1].gain < 0.0
    assert "| all | 40 |" in format_language_gains(gains)


def test_ratings_are_read_or_rejected(tmp_path: Path) -> None:
    head = "user,language," + ",".join(RATED) + ",excerpt\n"
    row = ",".join(["1"] * 5 + ["5"] * 6)
    path = tmp_path / FILE
    path.write_text(head + f"0,xx,{row},joy_1\n1,yy,{row},joy_1\n", encoding="utf-8")
    ratings, languages = read_ratings(path)
    assert (ratings.shape, languages) == ((2, 1, 11), ("xx", "yy"))
    assert ratings[0, 0].tolist() == [0.0] * 5 + [1.0] * 6
    path.write_text(head + f"0,xx,{row},joy_1\n1,yy,{row},sad_1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="every one must have rated all"):
        read_ratings(path)
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="does not hold the ratings' columns"):
        read_ratings(path)
    path.write_text(head + "0,xx,1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="does not hold the ratings' columns"):
        read_ratings(path)
    path.write_text(head + "x" * 200_000 + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not a table with commas"):
        read_ratings(path)
    with pytest.raises(ConfigError, match="cannot read"):
        read_ratings(tmp_path / "missing.tar.xz")


# ---------------------------------------------------------------- many excerpts, each with few listeners


def make_annotations(shift: float, per_excerpt: int = 6) -> Annotations:
    """Create 60 excerpts, each rated by six of 40 listeners; the second language rates higher by `shift`."""
    rng = np.random.default_rng(2)
    excerpt = np.repeat(np.arange(60), per_excerpt)
    listener = np.concatenate([rng.permutation(40)[:per_excerpt] for _ in range(60)])
    language = np.arange(40) % 2
    chances = rng.uniform(0.3, 0.5, (60, 13))[excerpt] + shift * (language[listener] == 1)[:, None]
    answers = (rng.random(chances.shape) < chances).astype(float)
    return Annotations(listener, excerpt, answers, language, ("xx", "yy"))


def test_few_listeners_for_each_excerpt_suffice_to_find_a_difference() -> None:
    *_, overall = compute_annotation_gains(make_annotations(0.4), repeats=2)
    assert overall.low > 0.03
    *_, overall = compute_annotation_gains(
        make_annotations(0.4), slice(len(MOODS), None), repeats=2
    )  # in valence and arousal alone too
    assert overall.low > 0.0


def test_agreeing_listeners_give_no_gain_and_rarely_rated_excerpts_are_left_out() -> None:
    gains = compute_annotation_gains(make_annotations(0.0), repeats=2)
    assert [gain.language for gain in gains] == ["xx", "yy", "all"]
    assert gains[-1].gain < 0.005
    assert compute_annotation_gains(make_annotations(0.4, per_excerpt=2), repeats=2) == []


def format_annotations(users: dict[str, str], answers: list[tuple[str, str, str, int, int]]) -> str:
    return json.dumps(
        {
            "users": [{"id": name, "motherLanguage": language} for name, language in users.items()],
            "annotations": [
                {
                    "userId": user, "externalID": excerpt, "moodValue": mood, "valenceValue": str(valence),
                    "arousalValue": str(arousal),
                }
                for user, excerpt, mood, valence, arousal in answers
            ],
        }
    )  # fmt: skip


def write_archive(path: Path, name: str, text: str) -> Path:
    with tarfile.open(path, "w:xz") as tar:
        member = tarfile.TarInfo(f"corpus/data/{name}")
        member.size = len(text.encode())
        tar.addfile(member, io.BytesIO(text.encode()))
    return path


USERS = {f"{language}{n}": language for language in ("ca", "es") for n in range(5)} | {"mute": "", "lone": "fr"}


def write_trompa(folder: Path) -> Path:
    people = [*USERS, "unknown"] * 4
    answers = [(user, f"song{n % 4}", MOODS[n % 11], 1 - 2 * (n % 3 == 0), -1) for n, user in enumerate(people)]
    return write_archive(folder / "emo-trompa-mer.tar.xz", TROMPA_FILE, format_annotations(USERS, answers))


def test_annotations_need_five_listeners_of_a_language_and_keep_the_first_answer(
    tmp_path: Path,
) -> None:
    data = read_annotations(write_trompa(tmp_path))
    assert data.languages == ("ca", "es")
    assert len(data.language) == 10
    assert (data.answers[:, : len(MOODS)].sum(axis=1) == 1).all()
    assert set(data.answers[:, -2]) == {0.0, 1.0}
    assert not data.answers[:, -1].any()
    twice = [("ca0", "song", "joy", 1, 1), ("ca0", "song", "fear", -1, 1), *((u, "song", "joy", 1, 1) for u in USERS)]
    again = read_annotations(write_archive(tmp_path / "twice.tar.xz", TROMPA_FILE, format_annotations(USERS, twice)))
    assert len(again.listener) == 10
    assert again.answers[:, MOODS.index("joy")].all()
    with pytest.raises(ConfigError, match="2 are compared"):
        read_annotations(write_archive(tmp_path / "one.tar.xz", TROMPA_FILE, format_annotations({"ca0": "ca"}, twice)))
    with pytest.raises(ConfigError, match="does not hold annotations"):
        read_annotations(write_archive(tmp_path / "bad.tar.xz", TROMPA_FILE, "[1]"))


CHORDS = "PARTICIPANTID,Rating,Mode,Background\n" + "".join(
    f"{where}{n},{rating},{mode},{where}\n"
    for where, major, minor in (("UK", 4, 3), ("Khow", 2, 4))
    for n in range(3)
    for mode, rating in (("Major", major), ("Minor", minor), ("Augm", 1))
)


def test_preference_for_major(tmp_path: Path) -> None:
    khow, uk = read_mode_preferences(write_archive(tmp_path / "a.tar.xz", CHORDS_FILE, CHORDS))
    assert (khow.background, khow.listeners, khow.major_over_minor, khow.high) == ("Khow", 3, -2.0, -2.0)
    assert (uk.background, uk.major_over_minor, uk.low) == ("UK", 1.0, 1.0)
    with pytest.raises(ConfigError, match="no ratings of major"):
        read_mode_preferences(write_archive(tmp_path / "b.tar.xz", CHORDS_FILE, CHORDS.replace("Major", "Sus4")))


def test_a_folder_of_the_three_corpora_is_reported_whole_and_one_archive_alone(tmp_path: Path) -> None:
    text = "user,language," + ",".join(RATED) + ",excerpt\n"
    for n in range(12):
        for song in range(8):
            text += f"{n},{'xy'[n % 2]}," + "".join(f"{1 + (n * k + song) % 5}," for k in range(11)) + f"joy_{song}\n"
    first = write_archive(tmp_path / "emo-agreement-4languages.tar.xz", FILE, text)
    write_trompa(tmp_path)
    write_archive(tmp_path / "emo-pakistan-chords.tar.xz", CHORDS_FILE, CHORDS)
    report = format_listeners_report({"listeners": summarise_listeners(tmp_path)})
    assert "| Khow | 3 | -2.00 | -2.00 – -2.00 |" in report
    assert "TROMPA-MER" in report
    alone = format_listeners_report({"listeners": summarise_listeners(first)})
    assert "TROMPA" not in alone
    assert report.startswith(alone)
    assert "Not measured" in format_listeners_report({"listeners": {}})
