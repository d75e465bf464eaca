"""Training of the melody transformer on POP909, its checkpoint and card, and how likely it finds unseen melodies."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kelly_live.core.atomic_write import create_folder, write_atomically
from kelly_live.core.checkpoint import Checkpoint
from kelly_live.emotion.nets.checkpoint import save_checkpoint
from kelly_live.lab.nets.melody import MelodyNet
from kelly_live.lab.training.melody_data import Song, build_run_filter
from kelly_live.music.melody_net import AHEAD, BAR, MAX_GAP, NAME, NO_CHORD, NO_STEP, PHRASE, START

FOLD = 11  # every eleventh song of the others decides when to stop


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train: `minutes` at most, rounds without a better net at most, notes a window, windows a batch."""

    minutes: float = 42.0
    patience: int = 18
    window: int = 160
    batch: int = 8
    rate: float = 2.5e-3
    steps: int = 80  # of a round
    warm_up: int = 100  # steps
    unconditioned: float = 0.15  # share of the windows without conditions, and of those without references
    seed: int = 0


class Window(NamedTuple):
    """A stretch of a song as the net's inputs, and its targets: gap, rest and step."""

    notes: np.ndarray
    features: np.ndarray
    places: np.ndarray
    following: np.ndarray
    next_features: np.ndarray
    targets: np.ndarray


def build_window(
    song: Song, first: int, count: int, *, has_conditions: bool = True, has_references: bool = True
) -> Window:
    """Build the window of `count` predicted notes from note `first`; what stands before it is the start of its bar."""
    last = min(len(song.places), first + count)
    places, steps = song.places[first:last], song.steps[first:last]
    bar_start = places[0] // BAR * BAR
    own_places = np.concatenate(([bar_start], places[:-1]))
    gaps = np.minimum(np.diff(np.concatenate(([bar_start], places))), MAX_GAP)
    own_steps = np.concatenate(([START], steps[:-1]))
    own_gaps = np.concatenate(([0], gaps[:-1]))
    before_rests = np.concatenate(([0], song.rests[first : last - 1]))  # silence after each of own notes
    input_rests = np.concatenate(([0, 0], song.rests[first : last - 2]))[: len(own_places)]
    chords = song.chords[first:last]
    own_chords = np.concatenate(([[NO_CHORD] * 3 + [0]], chords[:-1]))
    own_phrases, next_phrases = own_places // PHRASE, places // PHRASE
    likeness = song.likeness * has_references
    grid = _lay_references(song, has_references)
    notes = np.stack(
        (
            own_steps, own_gaps, input_rests, own_places % BAR, own_places // BAR % 4, own_chords[:, 0],
            own_chords[:, 3], likeness[own_phrases],
        ), 1,
    )  # fmt: skip
    following = np.stack(
        (
            gaps, places % BAR, places // BAR % 4, chords[:, 0], chords[:, 1], chords[:, 2], chords[:, 3],
            likeness[next_phrases], grid[places], _find_last(grid)[places],
        ), 1,
    )  # fmt: skip
    conditions = song.conditions * has_conditions
    after = np.minimum(own_phrases + 1, len(conditions) - 1)
    ahead = own_places[:, None] + 1 + np.arange(AHEAD)
    rhythm = np.pad(grid, (0, AHEAD + 1), constant_values=NO_STEP)[ahead] != NO_STEP
    features = np.concatenate((conditions[own_phrases], conditions[after], rhythm), 1)
    targets = np.stack((gaps, before_rests, steps), 1)
    return Window(
        notes, features.astype(np.float32), (own_places - bar_start).astype(np.float32), following,
        conditions[next_phrases].astype(np.float32), targets,
    )  # fmt: skip


def _lay_references(song: Song, has_references: bool) -> np.ndarray:
    """Lay the steps of each phrase's reference on the song's own places; NO_STEP where it has no note."""
    count = len(song.conditions)
    grid = np.full(count * PHRASE, NO_STEP)
    own = np.full(count * PHRASE, NO_STEP)
    own[song.places] = song.steps
    if has_references:
        for phrase in np.flatnonzero(song.likeness):
            source = int(song.references[phrase])
            grid[phrase * PHRASE : (phrase + 1) * PHRASE] = own[source * PHRASE : (source + 1) * PHRASE]
    return grid


def _find_last(grid: np.ndarray) -> np.ndarray:
    """Return at each place the last step at or before it inside its phrase."""
    rows = grid.reshape(-1, PHRASE)
    index = np.maximum.accumulate(np.where(rows != NO_STEP, np.arange(PHRASE), -1), 1)
    return np.where(index >= 0, np.take_along_axis(rows, np.maximum(index, 0), 1), NO_STEP).reshape(-1)


def _collate(windows: Sequence[Window]) -> tuple[list[Tensor], Tensor]:
    """Pad windows at their ends to tensors of inputs, and targets with -100 where there is none."""
    count = max(len(window.notes) for window in windows)

    def pad(name: str, fill: int) -> Tensor:
        parts = [getattr(window, name) for window in windows]
        shape = (len(parts), count, *parts[0].shape[1:])
        out = np.full(shape, fill, parts[0].dtype)
        for row, part in enumerate(parts):
            out[row, : len(part)] = part
        return torch.from_numpy(out)

    inputs = [pad(name, 0) for name in ("notes", "features", "places", "following", "next_features")]
    return inputs, pad("targets", -100)


def _compute_losses(net: MelodyNet, inputs: Sequence[Tensor], targets: Tensor) -> list[Tensor]:
    """Compute the sums of -log p of gaps, rests and steps."""
    answers = net(*inputs)
    return [
        F.cross_entropy(logits.flatten(0, 1), targets[..., column].flatten(), ignore_index=-100, reduction="sum")
        for column, logits in enumerate(answers)
    ]


@torch.inference_mode()
def score_songs(
    net: MelodyNet, songs: Sequence[Song], window: int, *, has_conditions: bool, has_references: bool
) -> tuple[float, float, float]:
    """Score songs: bits a note of gap, rest and step."""
    net.eval()
    totals, count = np.zeros(3), 0
    for song in songs:
        windows = [
            build_window(song, first, window, has_conditions=has_conditions, has_references=has_references)
            for first in range(0, len(song.places), window)
        ]
        inputs, targets = _collate(windows)
        totals += [float(loss) for loss in _compute_losses(net, inputs, targets)]
        count += len(song.places)
    gap, rest, step = totals / count / math.log(2.0)
    return float(gap), float(rest), float(step)


def split_songs(songs: Sequence[Song]) -> tuple[list[Song], list[Song], list[Song]]:
    """Split songs into those to train on, those that decide when to stop, and those held out."""
    rest = [song for song in songs if not song.held_out]
    fold = rest[::FOLD]
    train = [song for number, song in enumerate(rest) if number % FOLD]
    return train, fold, [song for song in songs if song.held_out]


def train_melody(
    songs: Sequence[Song], path: Path, settings: Settings, *, resume: bool, log: Callable[[str], None]
) -> MelodyNet:
    """Train the net, and return the one that finds the fold likeliest.

    After each round its state is written to `path`, from which `resume` goes on.
    """
    create_folder(path.parent)
    torch.manual_seed(settings.seed)
    net = MelodyNet()
    train, fold, _ = split_songs(songs)
    optimiser = torch.optim.AdamW(net.parameters(), settings.rate, weight_decay=0.05, betas=(0.9, 0.98))
    rng = np.random.default_rng(settings.seed)
    spent, round_number, best_round, best_bits = 0.0, 0, 0, math.inf
    best = {name: value.clone() for name, value in net.state_dict().items()}
    if resume and path.is_file():
        state = torch.load(path, weights_only=True)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        best, best_bits, best_round = state["best"], state["best_bits"], state["best_round"]
        spent, round_number = state["spent"], state["round"]
        rng = np.random.default_rng([settings.seed, round_number])
    log(f"{sum(p.numel() for p in net.parameters())} parameters, {len(train)} songs, fold of {len(fold)}")
    sizes = np.array([len(song.places) for song in train], float)
    began = time.monotonic()
    while spent < 60.0 * settings.minutes and round_number - best_round < settings.patience:
        round_number += 1
        net.train()
        total, notes = 0.0, 0
        for step in range(settings.steps):
            progress = min(1.0, (spent + time.monotonic() - began) / (60.0 * settings.minutes))
            warm = min(1.0, ((round_number - 1) * settings.steps + step + 1) / settings.warm_up)
            for group in optimiser.param_groups:
                group["lr"] = settings.rate * warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * progress)))
            windows = []
            for index in rng.choice(len(train), settings.batch, p=sizes / sizes.sum()):
                first = int(rng.integers(0, max(1, len(train[index].places) - 24)))
                plain, alone = rng.random(2) < settings.unconditioned
                windows.append(
                    build_window(
                        train[index], first, settings.window, has_conditions=not plain, has_references=not alone
                    )
                )
            inputs, targets = _collate(windows)
            losses = _compute_losses(net, inputs, targets)
            number = int((targets[..., 0] >= 0).sum())
            loss = sum(losses[1:], losses[0]) / number
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            total, notes = total + float(loss.detach()) * number, notes + number
        bits = score_songs(net, fold, settings.window, has_conditions=True, has_references=True)
        spent, began = spent + time.monotonic() - began, time.monotonic()
        is_best = sum(bits) < best_bits
        if is_best:
            best_bits, best_round = sum(bits), round_number
            best = {name: value.clone() for name, value in net.state_dict().items()}
        log(
            f"round {round_number}  {spent / 60:.1f} min  train {total / notes / math.log(2):.3f}  fold "
            f"{sum(bits):.3f} ({bits[0]:.3f} {bits[1]:.3f} {bits[2]:.3f}){'  * best' if is_best else ''}"
        )
        torch.save(
            {
                "net": net.state_dict(), "optimiser": optimiser.state_dict(), "best": best, "best_bits": best_bits,
                "best_round": best_round, "spent": spent, "round": round_number, "settings": asdict(settings),
            }, path,
        )  # fmt: skip
    net.load_state_dict(best)
    return net.eval()


@dataclass(frozen=True, slots=True)
class MelodyTraining:
    """The result of a training: bits of a held-out note by what the net was told, songs, and the checkpoint's size."""

    bits: dict[str, tuple[float, float, float]]
    songs: tuple[int, int, int]
    size_bytes: int

    def format_table(self) -> str:
        """Format the scores as Markdown."""
        lines = ["| bits a held-out note; the net is told | gap | rest | step | all |", "|---|---|---|---|---|"]
        for name, parts in self.bits.items():
            numbers = " | ".join(f"{bits:.2f}" for bits in (*parts, sum(parts)))
            lines.append(f"| {name} | {numbers} |")
        return "\n".join(lines)

    def format_card(self, command: str) -> str:
        """Format the model card."""
        train, fold, held_out = self.songs
        return f"""# melody.safetensors

The melody transformer of the player `melody-neural` (`kelly_live/music/melody_net.py`): from the notes so far, the
chords, the place in bar and phrase, and what the phrase should be like, the next note. {self.size_bytes // 1000} kB.
Made by `{command}`, whose learning rate
falls with the clock: another run makes another net.

| data | licence | songs learned from | that decided when to stop | held out |
|---|---|---|---|---|
| POP909 (Wang et al. 2020) | MIT | {train} | {fold} | {held_out} |

{self.format_table()}

*Conditions*: density, off-beats, leaps, height, spread, mode, and whether the phrase ends on the tonic. *Reference*:
the earlier phrase that a phrase is likest to. Melodies are in steps of their scale; the net knows major and minor.

`runs` is a Bloom filter of all songs' shortest runs of six notes or more that are longer than a bar. The player draws
none of them, so it quotes no song for more than a bar. It is for pop and its neighbours in bars of four; traditions
with scales of their own keep their own lines.
"""


def write_melody(net: MelodyNet, songs: Sequence[Song], settings: Settings, out: Path, command: str) -> MelodyTraining:
    """Score a net on held-out songs, and write its checkpoint, in half precision, and its card.

    Raises:
        OutputError: A file cannot be written.
    """
    parts = split_songs(songs)
    bits = {
        name: score_songs(net, parts[2], settings.window, has_conditions=told, has_references=refers)
        for name, told, refers in (
            ("conditions and reference", True, True), ("conditions", True, False), ("neither", False, False),
        )
    }  # fmt: skip
    weights = {name: weight.half() for name, weight in net.state_dict().items() if not name.endswith("offsets")}
    weights["runs"] = torch.from_numpy(build_run_filter(songs)).half()
    config = {"layers": len(net.blocks), "heads": net.heads, "width": net.width}
    card = {"sources": {"pop909": "MIT"}, "bits": {name: list(row) for name, row in bits.items()}}
    save_checkpoint(out, Checkpoint(NAME, config, card, weights))
    result = MelodyTraining(bits, (len(parts[0]), len(parts[1]), len(parts[2])), out.stat().st_size)
    write_atomically(out.with_suffix(".md"), result.format_card(command).encode())
    return result
