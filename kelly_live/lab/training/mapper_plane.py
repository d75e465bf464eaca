"""The mapper's output over the valence-arousal plane, at the emotions and at the quadrants' centres."""

from __future__ import annotations

import numpy as np
import torch

from kelly_live.core.emotion_space import create_state
from kelly_live.core.values import EMOTIONS, RHYTHMS, EmotionState
from kelly_live.lab.corpora.manifest import QUADRANTS
from kelly_live.lab.nets.mapper import DynamicEmotionToMusicMapper, compute_major_share
from kelly_live.lab.training.mapper_data import QUADRANT_CENTRE

STEPS = 41
# The plotted parameters: name → unit. All others are ranges around one of these.
SHOWN = {
    "tempo": "BPM",
    "major share": "share of mode weights",
    "register": "MIDI note",
    "level": "share of full velocity",
    "long notes": "share of rhythm weights",
    "density": "melody notes a beat",
    "variation": "share of the dynamic band",
    "on the beat": "share of timing weights",
}


def list_states() -> dict[str, EmotionState]:
    """List the eight emotions and the quadrants' centres by name."""
    emotion_states = {name: create_state(emotion=name) for name in EMOTIONS}
    middles = {
        quadrant: create_state(QUADRANT_CENTRE * v, QUADRANT_CENTRE * a) for quadrant, (v, a) in QUADRANTS.items()
    }
    return emotion_states | middles


@torch.no_grad()
def compute_parameters(net: DynamicEmotionToMusicMapper, states: list[EmotionState]) -> dict[str, np.ndarray]:
    """Compute SHOWN, `[N]` each, the notes a second, and the ranges of tempo, register and dynamics."""
    music = net(
        torch.tensor([state.probabilities for state in states]),
        torch.tensor([(state.valence, state.arousal, state.dominance) for state in states]),
    )
    values = {
        "tempo": music["tempo_suggested"],
        "major share": compute_major_share(music["mode_weights"]),
        "register": music["register_center"],
        "level": (music["dynamics_floor"] + music["dynamics_ceiling"]) / 2.0,
        "long notes": music["rhythm_weights"][:, RHYTHMS.index("sustained")],
        "density": music["density"],
        "variation": music["dynamics_variance"],
        "on the beat": music["timing_weights"][:, 1],
        "notes a second": music["density"] * music["tempo_suggested"] / 60.0,
        **{
            name: music[name]
            for name in (
                "tempo_min",
                "tempo_max",
                "register_low",
                "register_high",
                "dynamics_floor",
                "dynamics_ceiling",
            )
        },
    }
    return {name: value.numpy().astype(float) for name, value in values.items()}


def compute_plane(net: DynamicEmotionToMusicMapper) -> dict[str, np.ndarray]:
    """Compute SHOWN over valence and arousal from -1 to 1: `[STEPS arousal, STEPS valence]` each."""
    axis = np.linspace(-1.0, 1.0, STEPS)
    values = compute_parameters(net, [create_state(float(v), float(a)) for a in axis for v in axis])
    return {name: values[name].reshape(STEPS, STEPS) for name in SHOWN}


def format_states_table(net: DynamicEmotionToMusicMapper) -> str:
    """Format the parameters at `list_states` as a Markdown table."""
    states = list_states()
    v = compute_parameters(net, list(states.values()))
    head = ("at", "BPM", "major", "melody", "dynamics", "variation", "density", "notes/s", "long notes", "on the beat")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for i, name in enumerate(states):
        tempo, register = (
            " / ".join(f"{v[key][i]:.0f}" for key in keys)
            for keys in (("tempo_min", "tempo", "tempo_max"), ("register_low", "register", "register_high"))
        )
        dynamics = f"{v['dynamics_floor'][i]:.2f}-{v['dynamics_ceiling'][i]:.2f}"
        rest = (f"{v[key][i]:.2f}" for key in ("variation", "density", "notes a second", "long notes", "on the beat"))
        cells = (name, tempo, f"{v['major share'][i]:.2f}", register, dynamics, *rest)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
