"""Simulated listeners that teach a profile their taste, and held-out preferences that score it.

There are two kinds of listener. "songs": tastes drawn from the mapper's own prior, which is how songs of one emotion
differ in the corpora. "rules": each emotion's parameters moved independently at random, which the model does not
expect. Both react to the profile's music by its largest error (with noise and random slips), and the profile learns at
once. Neither stands for a real person: the simulation does not contain what people want, how steady they are and what
they notice.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import numpy as np

from kelly_live.core.emotion_space import create_state
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTION_VAD, EMOTIONS, EmotionState
from kelly_live.lab.intervals import Estimate, bootstrap_mean
from kelly_live.mapping.net import RADII, USER_DIM, MapperNet, split_taste
from kelly_live.mapping.profile_taste import get_embedding, learn_profile, play_for_profile
from kelly_live.mapping.taste import ERRORS, play_values
from kelly_live.profiles.profile import Profile, new_profile
from kelly_live.profiles.reaction import KINDS, LIKE, PLAYED_PARAMETERS, PREFERENCE, RANGES, Reaction, create_reaction

COUNTS = (5, 10, 20, 40)
POPULATIONS = ("songs", "rules")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
_ERRORS = np.array([ERRORS[name] for name in PLAYED_PARAMETERS])
_RULE_SPREAD = 2.0  # errors: as far as the step of a word
_NOISE = 1.0  # errors, of a listener's preference at one moment
_SLIP_SHARE = 0.1  # of reactions, at random
_VALUE_SHARE = 0.3  # of reactions, a value instead of a word
_LIKED_DISTANCE = 1.0  # errors; nearer than this is liked
_STATES, _PAIRS = 40, 5  # held out, for each listener
RESAMPLES = 2000
_KIND_OF_GAP = {
    ("tempo", 1): "too-fast", ("tempo", -1): "too-slow", ("register", 1): "too-bright", ("register", -1): "too-dark",
    ("level", 1): "too-loud", ("level", -1): "too-soft", ("density", 1): "too-busy", ("density", -1): "too-sparse",
    ("major", 1): "too-bright", ("major", -1): "too-dark",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TasteLearning:
    """The result after `reactions`.

    `agreement` is the share of held-out pairs in which the profile prefers the same version as its listener;
    `over_none` and `over_mean` are the differences to no profile and to the mean of the other listeners' profiles.
    `share_at_limit` is the share of their tastes' parts (the common one and each emotion's own) that reached their
    radius.
    """

    population: str
    listeners: int
    reactions: int
    agreement: Estimate
    over_none: Estimate
    over_mean: Estimate
    share_at_limit: float


@dataclass(frozen=True, slots=True)
class Spillover:
    """The effect of 40 reactions in one emotion on that emotion and on the others.

    The root mean square over PLAYED_PARAMETERS, in a target's errors; the mean of the others, and the largest of them.
    """

    rater: str
    own: float
    others: float
    most: float
    most_moved: str


def simulate(net: MapperNet, population: str, listeners: int = 60, seed: int = 1) -> list[TasteLearning]:
    """Simulate listeners of a population; return a row for each of COUNTS."""
    rng = np.random.default_rng([seed, POPULATIONS.index(population)])
    people = [_SimulatedListener(net, population, rng) for _ in range(listeners)]
    embeddings = np.stack([_teach_profile(net, person, rng) for person in people])  # [listeners, counts, 64]
    trials = [_PreferenceTrial(net, person, rng) for person in people]
    none = np.array([trial.measure_agreement(np.zeros(USER_DIM)) for trial in trials])
    rows = []
    for column, count in enumerate(COUNTS):
        others = (embeddings[:, column].sum(axis=0) - embeddings[:, column]) / max(listeners - 1, 1)
        agreements = np.array(
            [trial.measure_agreement(e) for trial, e in zip(trials, embeddings[:, column], strict=True)]
        )
        mean = np.array([trial.measure_agreement(e) for trial, e in zip(trials, others, strict=True)])
        edge = _compute_share_at_limit(embeddings[:, column])
        agreement, over_none, over_mean = (
            bootstrap_mean(values, resamples=RESAMPLES, seed=seed)
            for values in (agreements, agreements - none, agreements - mean)
        )
        rows.append(TasteLearning(population, listeners, count, agreement, over_none, over_mean, edge))
    return rows


def measure_spillovers(net: MapperNet, seed: int = 1) -> list[Spillover]:
    """Measure four raters of sad music only: one target, forty of the same, hostile ones, and random ones."""
    rng = np.random.default_rng([seed, 99])
    sad = create_state(emotion="sad")
    (base_values,) = play_for_profile(net, None, [sad])
    once = [create_reaction(NOW, PREFERENCE, sad, base_values, "tempo", 60.0)]
    hostile = [
        create_reaction(NOW, PREFERENCE, sad, base_values, "tempo", 300.0),
        create_reaction(NOW, PREFERENCE, sad, base_values, "register", 0.0),
    ]
    raters: dict[str, list[Reaction]] = {
        "one target (60 BPM)": once,
        "forty times 60 BPM": once * 40,
        "hostile (300 BPM, note 0)": hostile * 20,
        "random": [_draw_reaction(sad, base_values, rng) for _ in range(40)],
    }
    return [_measure_spillover(net, name, reactions) for name, reactions in raters.items()]


def _measure_spillover(net: MapperNet, name: str, reactions: Sequence[Reaction]) -> Spillover:
    profile = new_profile("rater", NOW)
    for one in reactions:
        profile = profile.with_reaction(one)
    states = [create_state(emotion=emotion) for emotion in EMOTIONS]
    before = play_values(net, np.zeros(USER_DIM), states, PLAYED_PARAMETERS)
    after = play_values(net, get_embedding(net, learn_profile(net, profile)), states, PLAYED_PARAMETERS)
    movements = np.sqrt((((after - before) / _ERRORS) ** 2).mean(axis=1))
    far = {emotion: float(size) for emotion, size in zip(EMOTIONS, movements, strict=True)}
    sad_movement = far.pop("sad")
    most = max(far, key=far.__getitem__)
    return Spillover(name, sad_movement, float(np.mean(list(far.values()))), far[most], most)


class _SimulatedListener:
    """A listener with a taste, on the even scales of the parameters."""

    def __init__(self, net: MapperNet, population: str, rng: np.random.Generator) -> None:
        self._net, self._rules = net, np.zeros((len(EMOTIONS), len(PLAYED_PARAMETERS)))
        self._taste = np.zeros(USER_DIM)
        if population == "songs":
            self._taste = rng.standard_normal(USER_DIM)
        else:
            self._rules = rng.standard_normal(self._rules.shape) * _RULE_SPREAD * _ERRORS

    def compute_preferences(self, states: Sequence[EmotionState]) -> np.ndarray:
        """Compute the preferred parameters `[states, PLAYED_PARAMETERS]`."""
        emotions = [EMOTIONS.index(state.emotion) for state in states]
        base: np.ndarray = play_values(self._net, self._taste, states, PLAYED_PARAMETERS)
        return _clip_to_ranges(base + self._rules[emotions])

    def react(self, state: EmotionState, played: Sequence[float], rng: np.random.Generator) -> Reaction:
        """React to music with these parameters."""
        if rng.random() < _SLIP_SHARE:
            return _draw_reaction(state, played, rng)
        preferred = (
            self.compute_preferences([state])[0] + rng.standard_normal(len(PLAYED_PARAMETERS)) * _NOISE * _ERRORS
        )
        gaps = (_convert_scales(played) - preferred) / _ERRORS
        worst = int(np.abs(gaps).argmax())
        name = PLAYED_PARAMETERS[worst]
        if abs(gaps[worst]) < _LIKED_DISTANCE:
            return create_reaction(NOW, LIKE, state, played)
        if rng.random() < _VALUE_SHARE:
            low, high = RANGES[name]
            value = 2.0 ** preferred[worst] if name in ("tempo", "density") else preferred[worst]
            return create_reaction(NOW, PREFERENCE, state, played, name, float(np.clip(value, low, high)))
        return create_reaction(NOW, _KIND_OF_GAP[name, 1 if gaps[worst] > 0.0 else -1], state, played)


class _PreferenceTrial:
    """Held-out states, two versions of the music for each pair, and the version that a listener prefers."""

    def __init__(self, net: MapperNet, person: _SimulatedListener, rng: np.random.Generator) -> None:
        self._net = net
        self._states = [state for state in (_draw_state(rng) for _ in range(_STATES)) for _ in range(_PAIRS)]
        tastes = rng.standard_normal((2, len(self._states), USER_DIM))
        self._versions = np.stack([play_values(net, taste, self._states, PLAYED_PARAMETERS) for taste in tastes])
        self._better = self._find_nearer(person.compute_preferences(self._states))

    def measure_agreement(self, embedding: np.ndarray) -> float:
        """Measure how often a profile prefers the same version as its listener."""
        return float(
            (
                self._find_nearer(play_values(self._net, embedding, self._states, PLAYED_PARAMETERS)) == self._better
            ).mean()
        )

    def _find_nearer(self, preferred: np.ndarray) -> np.ndarray:
        far = (((self._versions - preferred) / _ERRORS) ** 2).sum(axis=-1)
        nearer: np.ndarray = far[0] < far[1]
        return nearer


def _teach_profile(net: MapperNet, person: _SimulatedListener, rng: np.random.Generator) -> np.ndarray:
    """Teach a profile reaction by reaction; return its embeddings `[counts, 64]` at each of COUNTS."""
    profile: Profile = new_profile("listener", NOW)
    embeddings = []
    for count in range(1, COUNTS[-1] + 1):
        state = _draw_state(rng)
        (values,) = play_for_profile(net, profile, [state])
        profile = learn_profile(net, profile.with_reaction(person.react(state, values, rng)))
        if count in COUNTS:
            embeddings.append(get_embedding(net, profile))
    return np.stack(embeddings)


def _draw_state(rng: np.random.Generator) -> EmotionState:
    """Draw a state near the anchor of a random emotion."""
    emotion = EMOTIONS[rng.integers(len(EMOTIONS))]
    valence, arousal, _ = np.clip(np.array(EMOTION_VAD[emotion]) + rng.normal(0.0, 0.15, 3), -1.0, 1.0)
    return create_state(float(valence), float(arousal), emotion=emotion)


def draw_random_reactions(net: MapperNet, count: int, seed: int = 1) -> list[Reaction]:
    """Draw reactions at random: any kind or target, to the base music of any emotion."""
    rng = np.random.default_rng([seed, 98])
    states = [_draw_state(rng) for _ in range(count)]
    return [
        _draw_reaction(state, values, rng)
        for state, values in zip(states, play_for_profile(net, None, states), strict=True)
    ]


def _draw_reaction(state: EmotionState, values: Sequence[float], rng: np.random.Generator) -> Reaction:
    kind = str(rng.choice(KINDS))
    if kind != PREFERENCE:
        return create_reaction(NOW, kind, state, values)
    name = str(rng.choice(PLAYED_PARAMETERS))
    return create_reaction(NOW, PREFERENCE, state, values, name, float(rng.uniform(*RANGES[name])))


def _convert_scales(values: Sequence[float]) -> np.ndarray:
    pairs = zip(PLAYED_PARAMETERS, values, strict=True)
    return np.array([np.log2(max(v, 1e-3)) if name in ("tempo", "density") else v for name, v in pairs])


def _clip_to_ranges(values: np.ndarray) -> np.ndarray:
    low, high = (_convert_scales([RANGES[name][side] for name in PLAYED_PARAMETERS]) for side in (0, 1))
    inside: np.ndarray = np.clip(values, low, high)
    return inside


def _compute_share_at_limit(embeddings: np.ndarray) -> float:
    """Compute the share of all parts of tastes `[n, 64]` that have reached their radius."""
    return float((np.linalg.norm(split_taste(embeddings), axis=-1) > 0.999 * RADII).mean())


def format_learning(rows: Sequence[TasteLearning]) -> str:
    """Format a Markdown table of learning results."""
    lines = [
        "| listeners | reactions | agreement | over no profile | over the others' mean | at the limit |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        gains = [f"{i.value:+.3f} ({i.low:+.3f} – {i.high:+.3f})" for i in (row.over_none, row.over_mean)]
        agreement = f"{row.agreement.value:.3f} ({row.agreement.low:.3f} – {row.agreement.high:.3f})"
        who = f"{row.population}, {row.listeners}"
        lines.append(f"| {who} | {row.reactions} | {agreement} | {gains[0]} | {gains[1]} | {row.share_at_limit:.0%} |")
    return "\n".join(lines)


def format_spillovers(rows: Sequence[Spillover]) -> str:
    """Format a Markdown table of spillovers."""
    lines = ["| rater of sad only | change of sad | others, mean | largest |", "|---|---|---|---|"]
    lines += [f"| {r.rater} | {r.own:.2f} | {r.others:.2f} | {r.most:.2f} ({r.most_moved}) |" for r in rows]
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class LikeAgreement:
    """The agreement of real listeners of the same track (Emotify: Aljanaki et al. 2016).

    `agreement` of two listeners of one track on liked or disliked, beside `chance` from the overall shares. The data
    does not identify listeners or parameters, so it shows how individual taste is, but not what a profile learns of it.
    """

    ratings: int
    tracks: int
    liked: float
    disliked: float
    agreement: float
    chance: float


def read_like_agreement(path: Path) -> LikeAgreement:
    """Read the agreement from emotify_listeners.csv.

    Raises:
        ConfigError: The file cannot be read or lacks a column.
    """
    by_track: dict[str, list[bool]] = defaultdict(list)
    total = like_count = dislike_count = 0
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                likes, dislikes = row["liked"].strip() == "1", row["disliked"].strip() == "1"
                total, like_count, dislike_count = total + 1, like_count + likes, dislike_count + dislikes
                if likes != dislikes:
                    by_track[row["track id"]].append(likes)
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(f"{path} does not hold Emotify's ratings ({error}); give emotify_listeners.csv") from error
    pairs = [a == b for likes_of_track in by_track.values() for a, b in combinations(likes_of_track, 2)]
    share = like_count / max(like_count + dislike_count, 1)
    agreement = float(np.mean(pairs)) if pairs else float("nan")
    return LikeAgreement(
        total,
        len(by_track),
        like_count / max(total, 1),
        dislike_count / max(total, 1),
        agreement,
        share**2 + (1.0 - share) ** 2,
    )
