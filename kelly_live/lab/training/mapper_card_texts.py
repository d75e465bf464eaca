"""What the cards of the two sets' mappers say differently: sources, data, the middle of what is played, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kelly_live.core.resources import OPEN_MODELS, RESEARCH_MODELS
from kelly_live.lab.training.mapper_data import CORPORA


@dataclass(frozen=True, slots=True)
class SetTexts:
    """The parts of a card that depend on the set; `data` is a format of the rating scale."""

    sources: Mapping[str, str]
    data: str
    sure: str
    middle: str
    weight: str
    limits: tuple[str, ...]


_COMMON_LIMITS = (
    "No human rated dominance in this music: what it does to level and register comes from PRIORS (published effects), "
    "the rest follows from the emotions that dominance goes with.",
    "The scores judge the learned distribution at its corpus's own offset. What is played is stretched from it by the "
    "gains, on purpose less probable and more outspoken than the average labelled piece.",
    "'modes' knows the 7 diatonic modes only, and minor with a raised 7th counts as aeolian; rare modes are rare here.",
)
_STATES = (
    "Probabilities and dominance follow from the place by distance to Russell & Mehrabian's (1977) anchors: weak "
    "labels,\nnot ratings."
)

TEXTS: dict[tuple[str, ...], SetTexts] = {
    CORPORA[RESEARCH_MODELS]: SetTexts(
        sources={
            "EMOPIA (Hung et al. 2021)": "CC BY-NC-SA 4.0 by its README (another record says CC BY 4.0); quadrant "
            "labels",
            "VGMIDI (Ferreira & Whitehead 2019)": "no licence stated: research use; mean of about 30 listeners a "
            "measure",
        },
        data="""These are EMOPIA's clips, and windows of 8 bars every 4 of VGMIDI. Held out by song (EMOPIA's official
validation part) and by game series (VGMIDI). These weights are aggregate statistics of music under non-commercial and
research terms: use them accordingly, with credit. No score or melody is in them.

Labels become states: an EMOPIA quadrant is its centre (±.5, ±.5) with noise of SD .2 inside the quadrant; a VGMIDI
rating r becomes tanh((r - centre) · gain), valence {valence_centre:.3f} and {valence_gain:.2f},
arousal {arousal_centre:.3f} and {arousal_gain:.2f}, so that both corpora live on one plane.
"""
        + _STATES,
        sure="",
        middle="The middle is EMOPIA's, which people performed.",
        weight="",
        limits=(
            *_COMMON_LIMITS,
            "EMOPIA is transcribed piano without beats: its tempo is tracked. On VGMIDI, whose tempo is stated, "
            "the tracker is right for about 7 of 10 pieces; its prior uses the rates of melody and bass, "
            "regressed on VGMIDI's train part, so part of EMOPIA's tempo-arousal link is note rate. Density is "
            "learned as notes a second, which needs no beat.",
            "Behind or ahead of the beat: no source ties it to an emotion, and transcription blurs it; expect "
            "little from it.",
            "Pop piano and game music of a Western and East Asian make; other cultures' emotion cues are not in it.",
            "Epochs and skilled parameters were chosen by cross-validation over the training songs. The held-out "
            "part chose no weights; the measuring, the limits of commitment and the pieces a prior weighs were "
            "revised a few times after looking at its table.",
            "Register hardly rises with valence over the whole plane: it does where arousal is high (happy over "
            "scary, as in Eerola, Friberg & Bresin 2013), but calm pleasant piano lies lower than sad piano here "
            "(r about 0 overall), and Juslin & Laukka 2003 call tenderness low too. Over the plane its slope is "
            "near 0, and its sign changes with the weight of the priors.",
        ),
    ),
    CORPORA[OPEN_MODELS]: SetTexts(
        sources={
            "OpenScore Lieder (Gotham & Jonas 2021)": "CC0 1.0; weak labels from the words of the heading, nobody "
            "listened",
            "POP909 (Wang et al. 2020)": "MIT; no labels, the base of what is played",
            "Groove MIDI Dataset (Gillick et al. 2019)": "CC BY 4.0; one figure: strokes lie 12 ms off the grid",
        },
        data="""These are windows of 8 bars: the first 24 bars of each song of OpenScore with a word that tells, and
three places of each song of POP909. Held out by composer (OpenScore). For any use, with these credits. No score or
melody is in the weights, and nothing of the research set's data was read or chose anything.

Labels become states: the heading's tempo and mood words have values from -1 to 1 (`allegro` 1, `langsam` -1; the
pack's table); arousal is half their mean. Valence is half the sign of the mood words' mean, where that is clear;
`dolce`, `leggiero` and their like do not count, as they say how to sing. Without a word a coordinate counts as 0 and
as unlabelled; POP909 has neither. A tempo counts only where the score prints a metronome mark that agrees with the
file: elsewhere it follows from the same word as the label. Loudness is the composer's marks (OpenScore) or was played
(POP909). The ends of a register are the lowest and highest note of the whole song's tune: the band's never leaves them.
"""
        + _STATES,
        sure=",\nor that are the first cues of Eerola, Friberg & Bresin 2013 (mode, tempo, register, dynamics)",
        middle="The middle is half-way between the corpora; of the tempo it is 100 BPM, which people tap by "
        "themselves\n(Fraisse 1982, from memory). The spread of medians is over the square between the "
        "quadrants' centres.",
        weight="A weak label counts as\na quarter of one that listeners gave, so that these weigh the more. ",
        limits=(
            *_COMMON_LIMITS,
            "Nobody rated this music: words in scores say what composers wanted. Low valence has few songs; what the "
            "mapper does along valence rests on published effects more than on the data.",
            "Behind or ahead of the beat: the music is quantised, so that the published directions are all there is; "
            "nor is there a player's variation of single notes but POP909's.",
            "Western art song of 1780-1920 and Chinese pop; other cultures' emotion cues are not in it.",
            "Constants in the code beside the net (this card's Commitment, the weights of the priors) were settled "
            "while EMOPIA was measured: figures, not weights, but chosen with research data in view. Nothing else was.",
        ),
    ),
}
