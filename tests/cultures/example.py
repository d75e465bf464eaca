"""A small preset, and a corpus of tunes whose statistics are known by hand."""

from __future__ import annotations

import numpy as np

from kelly_live.core.safe_yaml import parse_nodes
from kelly_live.cultures.preset import CulturePreset, parse_preset
from kelly_live.lab.cultures.tune import Tune

PRESET = """\
format: 1
name: my-waltzes
title: My waltzes
summary: Waltzes that I play.
region: Europe
languages: [sv]
tempo_bpm: {value: [90, 110, 140], source: measured, n: 12, of: tunes, reference: my notebook}
metres: {value: {"3/4": 1}, source: measured, n: 12, of: tunes, reference: my notebook}
dynamics: {source: absent, reference: not written down}
texture: {value: chordal, source: cited, reference: "Grandmother (1961), in conversation"}
modes:
  glad:
    title: Glad
    share: {value: 1, source: measured, n: 12, of: tunes, reference: my notebook}
    scale_cents: {value: [0, 200, 400, 700, 900], source: measured, n: 12, of: tunes, reference: my notebook}
    degree_weights: {value: [0.4, 0.1, 0.2, 0.2, 0.1], source: measured, n: 12, of: tunes, reference: my notebook}
credits:
  - {corpus: notebook, origin: my shelf, licence: mine, credit: me}
"""


def parse(text: str, stem: str = "my-waltzes") -> CulturePreset:
    return parse_preset(parse_nodes(text.encode(), f"{stem}.yaml"), stem)


def tune(semitones: list[int], beats: list[float] | None = None, **more: object) -> Tune:
    """A tune on MIDI 60, one note after the other; `beats` are their lengths (a quarter each if None)."""
    lengths = np.array(beats if beats is not None else [1.0] * len(semitones))
    onsets = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    fields = {"tonic": 60.0, "metre": "4/4", **more}
    return Tune(cents=100.0 * np.array(semitones, float), onsets=onsets, durations=lengths, **fields)  # type: ignore[arg-type]
