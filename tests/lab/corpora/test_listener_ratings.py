"""A language helps exactly where its listeners hear alike and unlike the others."""

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
    annotation_gains,
    gains_table,
    language_gains,
    read_annotations,
    read_likings,
    read_ratings,
)
from kelly_live.lab.training.culture import heard_by, listeners_report


def made(shift: float) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(1)
    excerpts = rng.uniform(0.3, 0.7, (12, len(RATED)))
    ratings = excerpts + 0.1 * rng.standard_normal((40, 12, len(RATED)))
    ratings[20:] += shift
    return np.clip(ratings, 0, 1), ["xx"] * 20 + ["yy"] * 20


def test_listeners_who_hear_otherwise_are_worth_knowing() -> None:
    *_, overall = language_gains(*made(0.2), repeats=2)
    assert overall.low > 0.2


def test_listeners_who_hear_alike_are_not() -> None:
    gains = language_gains(*made(0.0), repeats=2)
    assert [g.language for g in gains] == ["xx", "yy", "all"]
    assert gains[-1].gain < 0.0
    assert "| all | 40 |" in gains_table(gains)


def test_ratings_are_read_or_refused(tmp_path: Path) -> None:
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
    with pytest.raises(ConfigError, match="cannot read"):
        read_ratings(tmp_path / "missing.tar.xz")


# ---------------------------------------------------------------- many excerpts, each heard by few


def few(shift: float, heard_by: int = 6) -> Annotations:
    """60 excerpts, each heard by six of 40 listeners of two languages; one hears more of each emotion by `shift`."""
    rng = np.random.default_rng(2)
    excerpt = np.repeat(np.arange(60), heard_by)
    listener = np.concatenate([rng.permutation(40)[:heard_by] for _ in range(60)])
    tongue = np.arange(40) % 2
    chances = rng.uniform(0.3, 0.5, (60, 13))[excerpt] + shift * (tongue[listener] == 1)[:, None]
    answers = (rng.random(chances.shape) < chances).astype(float)
    return Annotations(listener, excerpt, answers, tongue, ("xx", "yy"))


def test_few_listeners_an_excerpt_are_enough_to_see_who_hears_otherwise() -> None:
    *_, overall = annotation_gains(few(0.4), repeats=2)
    assert overall.low > 0.03
    *_, overall = annotation_gains(few(0.4), slice(len(MOODS), None), repeats=2)  # in valence and arousal alone too
    assert overall.low > 0.0


def test_listeners_who_hear_alike_gain_nothing_from_their_language_and_excerpts_heard_once_are_not_asked() -> None:
    gains = annotation_gains(few(0.0), repeats=2)
    assert [gain.language for gain in gains] == ["xx", "yy", "all"]
    assert gains[-1].gain < 0.005
    assert annotation_gains(few(0.4, heard_by=2), repeats=2) == []


def annotated(users: dict[str, str], answers: list[tuple[str, str, str, int, int]]) -> str:
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


def archive(path: Path, name: str, text: str) -> Path:
    with tarfile.open(path, "w:xz") as tar:
        member = tarfile.TarInfo(f"corpus/data/{name}")
        member.size = len(text.encode())
        tar.addfile(member, io.BytesIO(text.encode()))
    return path


USERS = {f"{language}{n}": language for language in ("ca", "es") for n in range(5)} | {"mute": "", "lone": "fr"}


def trompa(folder: Path) -> Path:
    people = [*USERS, "unknown"] * 4
    answers = [(user, f"song{n % 4}", MOODS[n % 11], 1 - 2 * (n % 3 == 0), -1) for n, user in enumerate(people)]
    return archive(folder / "emo-trompa-mer.tar.xz", TROMPA_FILE, annotated(USERS, answers))


def test_annotations_are_of_listeners_whose_stated_language_five_share_and_their_first_answer_counts(
    tmp_path: Path,
) -> None:
    data = read_annotations(trompa(tmp_path))
    assert data.languages == ("ca", "es")
    assert len(data.tongue) == 10
    assert (data.answers[:, : len(MOODS)].sum(axis=1) == 1).all()
    assert set(data.answers[:, -2]) == {0.0, 1.0}
    assert not data.answers[:, -1].any()
    twice = [("ca0", "song", "joy", 1, 1), ("ca0", "song", "fear", -1, 1), *((u, "song", "joy", 1, 1) for u in USERS)]
    again = read_annotations(archive(tmp_path / "twice.tar.xz", TROMPA_FILE, annotated(USERS, twice)))
    assert len(again.listener) == 10
    assert again.answers[:, MOODS.index("joy")].all()
    with pytest.raises(ConfigError, match="2 are compared"):
        read_annotations(archive(tmp_path / "one.tar.xz", TROMPA_FILE, annotated({"ca0": "ca"}, twice)))
    with pytest.raises(ConfigError, match="does not hold annotations"):
        read_annotations(archive(tmp_path / "bad.tar.xz", TROMPA_FILE, "[1]"))


CHORDS = "PARTICIPANTID,Rating,Mode,Background\n" + "".join(
    f"{where}{n},{rating},{mode},{where}\n"
    for where, major, minor in (("UK", 4, 3), ("Khow", 2, 4))
    for n in range(3)
    for mode, rating in (("Major", major), ("Minor", minor), ("Augm", 1))
)


def test_who_likes_major(tmp_path: Path) -> None:
    khow, uk = read_likings(archive(tmp_path / "a.tar.xz", CHORDS_FILE, CHORDS))
    assert (khow.background, khow.listeners, khow.major_over_minor, khow.high) == ("Khow", 3, -2.0, -2.0)
    assert (uk.background, uk.major_over_minor, uk.low) == ("UK", 1.0, 1.0)
    with pytest.raises(ConfigError, match="no ratings of major"):
        read_likings(archive(tmp_path / "b.tar.xz", CHORDS_FILE, CHORDS.replace("Major", "Sus4")))


def test_a_folder_of_the_three_corpora_is_reported_whole_and_one_archive_by_itself(tmp_path: Path) -> None:
    text = "user,language," + ",".join(RATED) + ",excerpt\n"
    for n in range(12):
        for song in range(8):
            text += f"{n},{'xy'[n % 2]}," + "".join(f"{1 + (n * k + song) % 5}," for k in range(11)) + f"joy_{song}\n"
    first = archive(tmp_path / "emo-agreement-4languages.tar.xz", FILE, text)
    trompa(tmp_path)
    archive(tmp_path / "emo-pakistan-chords.tar.xz", CHORDS_FILE, CHORDS)
    report = listeners_report({"listeners": heard_by(tmp_path)})
    assert "| Khow | 3 | -2.00 | -2.00 – -2.00 |" in report
    assert "TROMPA-MER" in report
    alone = listeners_report({"listeners": heard_by(first)})
    assert "TROMPA" not in alone
    assert report.startswith(alone)
    assert "Not measured" in listeners_report({"listeners": {}})
