"""Three judges of valence and arousal that share neither data nor features with the mapper, the players or the nets.

- *published*: the linear models of Eerola, Lartillot & Toiviainen, "Prediction of multidimensional emotional ratings in
  music from audio using multivariate regression models" (ISMIR 2009), for film music; coefficients of the five best
  predictors of valence and of activity as the authors published them in the MIRtoolbox (`miremotion`, 2010), without
  Box-Cox transformations. They are for standardised predictors; here Emotify's excerpts give mean and deviation, as the
  units of our features differ. One deviation was chosen on people's playing: key clarity and mode are those of the
  whole excerpt, not means over tenths of a second, which on piano tell the chord and not the key (AUC of people's
  valence .72 against .60).
- *listeners*: ridge regressions of what listeners felt (GEMS) on all of AUDIO_FEATURES, fitted on the train part of
  Emotify (Aljanaki, Wiering & Veltkamp 2015: classical, rock, electronic and pop recordings). Pleasant is joyful
  activation, calmness and tenderness without tension and sadness; stirred is joyful activation, power and tension
  without calmness, tenderness and sadness: shares of listeners, added with equal weights.
- *listeners, no key*: the same without TONAL_FEATURES. It hears everything but major and minor, and so tells whether
  valence is in register, timbre, loudness and rhythm, too. Among people's calm clips it hears hardly any.

The mapper and the vocabulary learned from EMOPIA, VGMIDI, POP909 and published cues; no judge did. Nothing in them
was chosen on our music. All are linear, so an AUC within one kind of music does not depend on where its mean lies.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import GEMS
from kelly_live.lab.judging.audio_features import AUDIO_FEATURES

RIDGE = 100.0  # of standardised features: 29 of them against 273 excerpts; 30 and 300 hear the same
FEWEST_EXCERPTS = 30
_LIMIT = 5.0  # deviations: farther away no linear model was fitted

# Coefficients a standard deviation of the predictor.
PUBLISHED_VALENCE: Mapping[str, float] = {
    "rms deviation": -0.3161,
    "fluctuation peak": 0.6099,
    "overall key clarity": 0.8802,
    "overall mode": 0.4565,
    "spectral novelty": 0.4015,
}
PUBLISHED_AROUSAL: Mapping[str, float] = {
    "rms mean": 0.6664,
    "fluctuation peak": 0.6099,
    "centroid": 0.4486,
    "spread": -0.4639,
    "entropy": 0.7056,
}
PLEASANT: Mapping[str, float] = {
    "joyful_activation": 1.0, "calmness": 1.0, "tenderness": 1.0, "tension": -1.0, "sadness": -1.0,
}  # fmt: skip
STIRRED: Mapping[str, float] = {
    "joyful_activation": 1.0, "power": 1.0, "tension": 1.0, "calmness": -1.0, "tenderness": -1.0, "sadness": -1.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LinearJudge:
    """A judge with one weight a feature for valence and for arousal, `[F]` each, on standardised features."""

    name: str
    centre: Floats
    deviation: Floats
    valence: Floats
    arousal: Floats

    def judge(self, rows: Floats) -> tuple[Floats, Floats]:
        """Judge the valence and the arousal `[n]` of rows `[n, F]`; only their order has a meaning."""
        x = np.clip((rows - self.centre) / self.deviation, -_LIMIT, _LIMIT)
        return x @ self.valence, x @ self.arousal


def _describe(rows: Floats) -> tuple[Floats, Floats]:
    if len(rows) < FEWEST_EXCERPTS:
        raise ConfigError(f"{len(rows)} labelled excerpts to judge by; {FEWEST_EXCERPTS} or more are needed")
    return rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)


def create_published_judge(rows: Floats) -> LinearJudge:
    """Create the published judge; `rows` `[n, F]` of recordings give each feature's mean and deviation.

    Raises:
        ConfigError: There are fewer than FEWEST_EXCERPTS rows.
    """

    def list_weights(table: Mapping[str, float]) -> Floats:
        return np.array([table.get(name, 0.0) for name in AUDIO_FEATURES])

    return LinearJudge("published", *_describe(rows), list_weights(PUBLISHED_VALENCE), list_weights(PUBLISHED_AROUSAL))


def fit_listener_judge(
    rows: Floats, gems: Sequence[Sequence[float]], *, name: str = "listeners", without: Collection[str] = ()
) -> LinearJudge:
    """Fit the listeners' judge to `rows` `[n, F]` of recordings and the shares of listeners who chose each of GEMS.

    The features named in `without` have no weight.

    Raises:
        ConfigError: There are fewer than FEWEST_EXCERPTS rows.
    """
    centre, deviation = _describe(rows)
    heard = np.array([feature not in without for feature in AUDIO_FEATURES])
    x = np.clip((rows - centre) / deviation, -_LIMIT, _LIMIT) * heard
    shares = np.asarray(gems, np.float64)

    def fit(axis: Mapping[str, float]) -> Floats:
        target = shares @ np.array([axis.get(name, 0.0) for name in GEMS])
        weights: Floats = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (target - target.mean()))
        return weights

    return LinearJudge(name, centre, deviation, fit(PLEASANT), fit(STIRRED))
