"""Training of the vocabulary, its scores on held-out pieces, its check for quotations, and its card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.open_scores import read_open_pieces
from kelly_live.lab.corpora.pieces import HELD_OUT, Piece, analyze_piece, read_labelled, read_pop909
from kelly_live.lab.corpora.symbolic_features import Score
from kelly_live.lab.training.melody_index import MelodyIndex
from kelly_live.lab.training.vocabulary import (
    MIN_SONGS,
    PRIOR_OBSERVATIONS,
    QUADRANT_OBSERVATIONS,
    learn_moves,
    learn_rhythms,
    learn_steps,
    learn_tables,
    write_tables,
)
from kelly_live.lab.training.vocabulary_scores import LikelihoodScore, score_moves, score_rhythms, score_steps

LICENCES = {
    "pop909": "MIT (Wang et al. 2020)",
    "emopia": "CC BY-NC-SA 4.0 (Hung et al. 2021)",
    "vgmidi": "none stated; aggregate statistics only (Ferreira & Whitehead 2019)",
    "openscore": "CC0 1.0 (Gotham & Jonas 2021)",
}
COMMAND = "kelly-live lab train vocabulary --set research --corpora data/cultures --symbolic data/symbolic"
OPEN_COMMAND = "kelly-live lab train vocabulary --set open --corpora data/cultures --open-data data/open"
BAR_BEATS = 4.0
_OTHERS = """EMOPIA (a clip a song
and quadrant) and VGMIDI give emotion, with estimated melodies, keys and chords; their `val` part is held out. Touch and
timing are EMOPIA's alone, which was performed."""
_TERMS = "As EMOPIA\nforbids commercial use, so does this file."
_OPEN_OTHERS = """OpenScore
gives other modes, with estimated melodies, keys and chords, and a few songs whose headings tell of a mood a quadrant;
every eighth composer is held out. Touch is of POP909's loudness, which was played; its onsets are quantised, so that
timing is figures of others: strokes of the Groove MIDI Dataset (12 ms, r .29), and a melody lead of 20 ms (Goebl 2001,
from memory)."""
_OPEN_TERMS = """This file may
be used for anything, with the credits above. (The weights of smoothing were chosen on the research set's pieces.)"""

# The grammar of the players without a vocabulary; the command passes it, as training does not import the players.
Grammar = Mapping[str, Mapping[int, Mapping[int, float]]]
Ours = Callable[[], Sequence[Score]]


@dataclass(frozen=True, slots=True)
class QuoteLengths:
    """The longest run that each piece shares with another's melody, in beats."""

    who: str
    beats: tuple[float, ...]

    @property
    def share_over_a_bar(self) -> float:
        """The share of pieces with a shared run longer than a bar."""
        return float(np.mean(np.array(self.beats) > BAR_BEATS))


@dataclass(frozen=True, slots=True)
class VocabularyTraining:
    """The result of a training: sources (pieces learned from, held out), scores, quotations and file size."""

    sources: dict[str, tuple[int, int]]
    fits: tuple[LikelihoodScore, ...]
    quotes: tuple[QuoteLengths, ...]
    size_bytes: int

    def format_table(self) -> str:
        """Format the scores and quotations as Markdown."""
        lines = [
            "| decisions of held-out pieces, nats each | learned | hand-written | without context | even "
            "| gain over hand-written ± SE | n (songs) |",
            "|---|---|---|---|---|---|---|",
        ]
        for fit in self.fits:
            gain = "" if np.isnan(fit.hand_written) else f"{fit.hand_written - fit.learned:+.3f} ± {fit.se:.3f}"
            numbers = [fit.learned, fit.hand_written, fit.corpus_wide, fit.uniform]
            cells = " | ".join("" if np.isnan(number) else f"{number:.3f}" for number in numbers)
            lines.append(f"| {fit.what} | {cells} | {gain} | {fit.decisions} ({fit.songs}) |")
        lines += ["", "| melody quotes a training piece | median beats | worst | longer than a bar |"]
        lines.append("|---|---|---|---|")
        for quotes in self.quotes:
            beats = np.array(quotes.beats)
            lines.append(
                f"| {quotes.who} (n {len(beats)}) | {np.median(beats):.1f} | {beats.max():.1f} "
                f"| {quotes.share_over_a_bar:.2f} |"
            )
        return "\n".join(lines)

    def format_card(self, command: str) -> str:
        """Format the model card."""
        sources = "\n".join(
            f"| {name} | {LICENCES.get(name, 'not known')} | {training_count} | {held_out_count} |"
            for name, (training_count, held_out_count) in sorted(self.sources.items())
        )
        is_open = "openscore" in self.sources
        others, terms = (_OPEN_OTHERS, _OPEN_TERMS) if is_open else (_OTHERS, _TERMS)
        return f"""# vocabulary.json

What people play, as tables that the players draw from (`kelly_live/music/vocabulary.py`): chord moves by mode and by
quadrant, how long chords stay, one-bar rhythms, melodic steps, how many keys a chord has, touch and timing.
{self.size_bytes // 1000} kB. Made by `{command}`.

| data | licence | pieces learned from | held out |
|---|---|---|---|
{sources}

POP909's melody, piano, beats, key and chords are its own; every {HELD_OUT}th song is held out. {others}

No move, step or rhythm that fewer than {MIN_SONGS} songs share is kept, and nothing longer than a bar. Tables are
smoothed towards the next wider one with the weight of {PRIOR_OBSERVATIONS:.0f} observations: a mode's chord moves
towards all major-like or minor-like modes'; a quadrant's with {QUADRANT_OBSERVATIONS:.0f} towards all labelled pieces',
as the emotion says little about them once the mode is known (chosen on the held-out pieces among five). {terms}

{self.format_table()}

Hand-written: the players' own grammars (a move that they lack counts as 1 % of its row) and their ranked places. A
quote is a run of at least six notes with the same intervals and the same sixteenths between them, in any key, of more
than two different steps; a melody is the skyline.
"""


# Performers' timing for the set `open`, whose pieces are quantised, as facts: how far people's strokes lie from the
# grid and how that goes on, of the Groove MIDI Dataset (models/open/drumming.md: 12 ms, r .29); and how early
# pianists play the melody of a chord, about 20-30 ms where it is louder (Goebl 2001, JASA 110:563, from memory).
OPEN_TIMING = {"sd_seconds": 0.012, "lag1": 0.29, "roll_seconds": 0.02, "lead_seconds": 0.02}


def train_open_vocabulary(
    corpora: Path, open_data: Path, cache: Path, out: Path, *, grammar: Grammar, places: Mapping[float, float],
    generate_pieces: Ours, command: str = OPEN_COMMAND, log: Callable[[str], None] = print,
) -> VocabularyTraining:  # fmt: skip
    """Train the vocabulary of the set `open`, as `train_vocabulary` does, on POP909 and OpenScore.

    Raises:
        KellyError: The corpora cannot be read, or the file cannot be written.
    """
    pieces = [*read_pop909(corpora), *read_open_pieces(open_data, cache)]
    log(f"read {len(pieces)} pieces")
    return train_from_pieces(
        pieces,
        out,
        grammar=grammar,
        places=places,
        generate_pieces=generate_pieces,
        command=command,
        timing=OPEN_TIMING,
    )


def train_vocabulary(
    corpora: Path, symbolic: Path, cache: Path, out: Path, *, grammar: Grammar, places: Mapping[float, float],
    generate_pieces: Ours, command: str = COMMAND, log: Callable[[str], None] = print,
) -> VocabularyTraining:  # fmt: skip
    """Read the corpora, learn, score and check the vocabulary; write `out` and its card.

    `generate_pieces` generates pieces of ours once the new file is in place.

    Raises:
        KellyError: The corpora cannot be read, or the file cannot be written.
    """
    pieces = [*read_pop909(corpora), *read_labelled(symbolic, cache / "beats")]
    log(f"read {len(pieces)} pieces")
    return train_from_pieces(
        pieces, out, grammar=grammar, places=places, generate_pieces=generate_pieces, command=command
    )


def train_from_pieces(
    pieces: Sequence[Piece],
    out: Path,
    *,
    grammar: Grammar,
    places: Mapping[float, float],
    generate_pieces: Ours,
    command: str,
    timing: Mapping[str, float] | None = None,
) -> VocabularyTraining:
    """Learn, score and check the vocabulary of pieces that were read; write `out` and its card.

    `timing`: as in `learn_tables`.
    """
    training_pieces = [piece for piece in pieces if not piece.held_out]
    held_out_pieces = [piece for piece in pieces if piece.held_out]
    if not training_pieces or not held_out_pieces:
        raise ConfigError("there must be pieces to learn from and pieces held out; name the folders of both corpora")
    write_tables(learn_tables(training_pieces, timing), out)
    moves = learn_moves(training_pieces)
    fits = [
        score_moves(moves, held_out_pieces, grammar, by_quadrant=False),
        score_moves(moves, held_out_pieces, grammar, by_quadrant=True),
        score_steps(learn_steps(training_pieces), held_out_pieces),
        score_rhythms(
            "melody rhythm of a bar", learn_rhythms(training_pieces, _select_melody), held_out_pieces,
            _select_melody, places,
        ),
        score_rhythms(
            "accompaniment rhythm of a bar", learn_rhythms(training_pieces, _select_accompaniment), held_out_pieces,
            _select_accompaniment, places,
        ),
    ]  # fmt: skip
    memory = MelodyIndex((piece.group, piece.melody) for piece in training_pieces)
    human = tuple(memory.find_longest_quote(piece.melody, piece.group) for piece in held_out_pieces)
    generated_pieces = [
        analyze_piece(s, "ours", "ours", "ours", held_out=True, quadrant=None, grid=None) for s in generate_pieces()
    ]
    quotes = [QuoteLengths("held-out people", human)]
    if generated_pieces:
        quotes.append(
            QuoteLengths("ours", tuple(memory.find_longest_quote(piece.melody) for piece in generated_pieces))
        )
    training_counts, held_out_counts = (
        Counter(piece.source for piece in training_pieces),
        Counter(piece.source for piece in held_out_pieces),
    )
    training = VocabularyTraining(
        {name: (training_counts[name], held_out_counts[name]) for name in training_counts | held_out_counts},
        tuple(fits),
        tuple(quotes),
        out.stat().st_size,
    )
    write_atomically(out.with_suffix(".md"), training.format_card(command).encode())
    return training


def _select_melody(piece: Piece) -> np.ndarray:
    return piece.melody


def _select_accompaniment(piece: Piece) -> np.ndarray:
    return piece.accompaniment
