"""Rhythmic cycles of traditions, written as their players say them: usul, iqa, theka, solkattu, jangdan, colotomy.

A cycle is a line of syllables for each metre. A word is one unit of the metre (an eighth of 9/8, a beat of 16/4);
syllables joined by hyphens divide it evenly, a dot is silent, bars are for the eye. A capital is the stroke that makes
the cycle known; small letters fill in where the music is dense. A metre that was not given its own cycle is left to
the drums on its groups.

General MIDI has none of these instruments: each syllable names the percussion key that comes nearest (`_SYLLABLES`).

Sources. Usul: Özkan, "Türk Mûsıkîsi Nazariyatı ve Usûlleri" (1984), strokes and lengths checked on Turkish teaching
pages (düyek, aksak, curcuna, sofyan, semai, yürük semai, devr-i hindi, türk aksağı). Maqsum and malfuf: Farraj & Abu
Shumays, "Inside Arabic Music" (2019); maqsum checked. Thekas: Courtney, "Fundamentals of Tabla" (1995); the strokes of
dha and dhin checked. Ketawang and the weight on a gatra's last beat: Sutton (1991); checked in Wikipedia's "Colotomy".
Dodeuri and the cycle of ten: Provine et al., Garland 7. From memory beside what was checked, the fills wholly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from kelly_live.core.values import Metre
from kelly_live.music.context import MusicContext
from kelly_live.music.drumming import TOUCHES, Stroke
from kelly_live.music.groove import LOW_CONGA, OPEN_CONGA, RIM, SLAP_CONGA, TAMBOURINE

FLOOR_TOM, HIGH_FLOOR_TOM, HIGH_BONGO, LOW_BONGO = 41, 43, 60, 61
HIGH_AGOGO, HIGH_WOOD_BLOCK, LOW_WOOD_BLOCK = 67, 76, 77
FILL_DENSITY = 0.85  # from here on the fills are played

# Gongs are pitched: the lowest part plays them (generators/style_parts.py), in the scale in force.
GONG, KEMPUL, KENONG = "G", "P", "N"


@dataclass(frozen=True, slots=True)
class CycleBook:
    """The cycles of one tradition.

    `lines` maps a metre's name to its cycle in syllables, `syllables` a syllable in small letters to percussion keys.
    `has_fills`: what is in small letters waits for density. `is_end_weighted`: a cycle rests on its last beat, and is
    counted back from the end of the phrase. `gongs` are the syllables that the lowest part plays.
    """

    lines: Mapping[str, str]
    syllables: Mapping[str, tuple[int, ...]]
    has_fills: bool = True
    is_end_weighted: bool = False
    gongs: frozenset[str] = frozenset()


_JIG = "Dum . Da Dum . Da"
_SYLLABLES: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    # Bodhrán: the beater on the open skin and its way back, muted by the other hand.
    "bodhran": {"dum": (FLOOR_TOM,), "da": (LOW_CONGA,), "ti": (RIM,)},
    # Kudüm or bendir: düm the right hand's low drum, tek, te, ke the high one.
    "kudum": {"düm": (LOW_CONGA,), "tek": (HIGH_BONGO,), "te": (HIGH_BONGO,), "ke": (LOW_BONGO,)},
    # Riqq: dum the skin's middle, tek and ka its edge with the jingles.
    "riqq": {"dum": (LOW_CONGA,), "tek": (TAMBOURINE,), "ka": (TAMBOURINE,)},
    # Tabla: ge is the bass drum's open stroke and ke its slap; na, ta the rim, tin and tu open, ti, ra closed.
    # Dha is ge and na together, dhin is ge and tin.
    "tabla": {
        "dha": (LOW_CONGA, HIGH_BONGO), "dhin": (LOW_CONGA, OPEN_CONGA), "dhi": (LOW_CONGA, OPEN_CONGA),
        "ge": (LOW_CONGA,), "ke": (LOW_BONGO,), "ka": (LOW_BONGO,), "kat": (LOW_BONGO, SLAP_CONGA),
        "na": (HIGH_BONGO,), "ta": (HIGH_BONGO,), "tin": (OPEN_CONGA,), "tu": (OPEN_CONGA,),
        "ti": (SLAP_CONGA,), "ra": (SLAP_CONGA,), "ki": (LOW_BONGO,),
    },
    # Mridangam: mi and thom the left head, which is the low one; ta, ki the right head's rim, dhi open.
    "mridangam": {
        "ta": (SLAP_CONGA,), "ka": (FLOOR_TOM,), "dhi": (OPEN_CONGA,), "mi": (FLOOR_TOM,), "ki": (HIGH_BONGO,),
        "jo": (OPEN_CONGA, FLOOR_TOM), "nu": (SLAP_CONGA,),
    },
    # Ban: the clapper on the strong beat; yan: the stick on the small drum on the others.
    "banyan": {"ban": (HIGH_WOOD_BLOCK,), "yan": (HIGH_BONGO,)},
    # Janggu: kung the palm on the low head, deok the stick on the high one (gi before it a grace), deong both.
    "janggu": {
        "deong": (HIGH_FLOOR_TOM, RIM), "kung": (HIGH_FLOOR_TOM,), "deok": (RIM,), "gi": (RIM,),
        "deo": (RIM,), "reo": (RIM,),
    },
    # Taiko of the bon dances: don the skin, ka the rim.
    "taiko": {"don": (FLOOR_TOM,), "ka": (RIM,), "ra": (RIM,)},
    # Ketuk (t) and kempyang (p), the two small gongs that keep the beat; W is wela, silence.
    "ketuk": {"t": (LOW_WOOD_BLOCK,), "p": (HIGH_AGOGO,), "w": ()},
}  # fmt: skip

CYCLES: Mapping[str, CycleBook] = {
    "jig": CycleBook(
        {
            "6/8": _JIG,
            "9/8": f"{_JIG} Dum ti Da",  # slip jig
            "12/8": f"{_JIG} {_JIG}",  # slide
            "2/4": "Dum-.-Da Dum-.-Da", "3/4": "Dum-.-Da Dum-.-Da Dum-ti-Da",
            "4/4": "Dum-.-Da Dum-.-Da Dum-.-Da Dum-ti-Da",
        },
        _SYLLABLES["bodhran"],
    ),
    "reel": CycleBook(
        {
            "4/4": "Dum-ti Da-da Dum-ti Da-da-ti-da", "2/2": "Dum-ti-Da-da Dum-ti-Da-da",  # reel
            "2/4": "Dum-.-Da-. Da-.-da-da",  # polka: the bow lifts off the beat
            "6/8": _JIG, "9/8": f"{_JIG} Dum ti Da", "12/8": f"{_JIG} {_JIG}",
        },
        _SYLLABLES["bodhran"],
    ),
    "usul": CycleBook(
        {
            "2/4": "Düm-. Tek-te",  # nim sofyan
            "3/4": "Düm Tek Tek",  # semai
            "4/4": "Düm . Te Ke",  # sofyan
            "5/8": "Düm . Tek . Tek",  # türk aksağı
            "6/8": "Düm Tek Tek Düm Tek .", "6/4": "Düm Tek Tek Düm Tek .",  # yürük semai, sengin semai
            "7/8": "Düm Tek Tek Düm ke Tek ke", "7/4": "Düm Tek Tek Düm ke Tek ke",  # devr-i hindi
            "8/8": "Düm Tek ke Tek Düm ke Tek te-ke", "8/4": "Düm Tek ke Tek Düm ke Tek te-ke",  # düyek
            "9/8": "Düm . Te Ke Düm ke Tek ke Tek", "9/4": "Düm . Te Ke Düm ke Tek ke Tek",  # aksak
            "10/8": "Düm ke Te Ke . Düm ke Tek ke Tek",  # curcuna
        },
        _SYLLABLES["kudum"],
    ),
    "iqa": CycleBook(
        {
            "4/4": "Dum-Tek ka-Tek Dum-ka Tek-ka",  # maqsum
            "2/4": "Dum-.-.-Tek .-.-Tek-ka",  # malfuf
            "3/4": "Dum-. Tek-ka Tek-ka",  # sama'i darij
        },
        _SYLLABLES["riqq"],
    ),
    "tala": CycleBook(
        {
            "16/4": "Dha Dhin Dhin Dha | Dha Dhin Dhin Dha | Dha Tin Tin Ta | Ta Dhin Dhin Dha",  # teental
            "14/4": "Ka Dhi Ta Dhi Ta | Dha . | Ge Ti Ta | Ti Ta Ta .",  # dhamar
            "12/4": "Dhin Dhin | Dha-Ge Ti-Ra-Ki-Ta | Tu Na | Kat Ta | Dha-Ge Ti-Ra-Ki-Ta | Dhin Na",  # ektal
            "10/4": "Dhi Na | Dhi Dhi Na | Tin Na | Dhi Dhi Na",  # jhaptal
            "8/4": "Dha Ge Na Ti | Na Ka Dhi Na",  # keherwa
            "7/4": "Tin Tin Na-ti | Dhi Na | Dhi Na",  # rupak
            "4/4": "Dha-Ge Na-Ti Na-Ka Dhi-Na",  # keherwa, twice as fast
            "3/4": "Dha-Dhi Na-Dha Tu-Na",  # dadra
        },
        _SYLLABLES["tabla"],
    ),
    "solkattu": CycleBook(
        {
            "8/4": "Ta-ka Dhi-Mi Ta-ka Jo-nu | Ta-ka Dhi-mi | Ta-ka Jo-nu",  # adi
            "16/4": "Ta . ka . Dhi . Mi . | Ta . ka . | Dhi . Mi .",
            "14/4": "Ta ki Ta Ta ka Dhi mi | Ta ki Ta Ta ka Jo nu",
            "7/8": "Ta ki Ta | Dhi mi | Jo nu",  # misra chapu
            "5/8": "Ta ka | Dhi mi Ta",  # khanda chapu
            "3/4": "Ta-ka-Dhi-mi Ta-ka-Jo-nu Ta-ka-Dhi-mi",  # rupaka
            "4/4": "Ta-ka Dhi-Mi Ta-ka Jo-nu",
        },
        _SYLLABLES["mridangam"],
    ),
    "banyan": CycleBook(
        {
            "4/4": "Ban Yan Yan yan-yan", "2/2": "Ban Yan",  # one ban and three yan; one and one
            "2/4": "Ban Yan-yan",
            "1/4": "Ban",  # running water: ban alone
        },
        _SYLLABLES["banyan"],
    ),
    "jangdan": CycleBook(
        {
            "18/8": "Deong . . . . . | Gi-Deok . . | Kung . . . . . | Deo reo reo",  # dodeuri
            "30/8": "Deong . . . . . . . . | Gi-Deok . . . . . | Kung . . . . . | Deo reo reo Deok . . . . .",
            "60/8": (
                "Deong . . . . . . . . . . . . . . . . . | Gi-Deok . . . . . . . . . . . |"
                " Kung . . . . . . . . . . . | Deo reo reo Deok . . . . . . . . . . . . . ."
            ),
        },
        _SYLLABLES["janggu"],
    ),
    "bon": CycleBook(
        {"4/4": "Don Don Ka-ra Ka-ka", "2/4": "Don Ka-ra", "3/4": "Don Ka Ka-ra"},
        _SYLLABLES["taiko"],
    ),
    "gamelan": CycleBook(
        {"4/4": "p T p W | p T p N | p T p P | p T p G"},  # ketawang
        _SYLLABLES["ketuk"],
        has_fills=False,
        is_end_weighted=True,
        gongs=frozenset((GONG, KEMPUL, KENONG)),
    ),
}  # fmt: skip


def find_cycle_line(groove: str, metre: Metre | None, beats_per_bar: int) -> str:
    """Return the cycle of a groove in a metre, in syllables; empty where it has none."""
    book = CYCLES.get(groove)
    return "" if book is None else book.lines.get(f"{beats_per_bar}/4" if metre is None else metre.name, "")


def list_cycle_strokes(groove: str, metre: Metre | None, context: MusicContext, bar: int) -> list[Stroke]:
    """List the strokes of a groove's cycle in a bar; the gongs are not among them."""
    strokes = []
    for position, syllable in _cut_bar(groove, metre, context, bar):
        book = CYCLES[groove]
        is_light = syllable[0].islower()
        keys = () if syllable in book.gongs else book.syllables[syllable.lower()]
        density = FILL_DENSITY if is_light and book.has_fills else 0.0
        strokes += [Stroke(position, key, TOUCHES["-" if is_light else "X"], density) for key in keys]
    return strokes


def has_gongs(groove: str, metre: Metre | None, beats_per_bar: int) -> bool:
    """Tell whether the lowest part of a groove in a metre is gongs."""
    return bool(find_cycle_line(groove, metre, beats_per_bar)) and bool(CYCLES[groove].gongs)


def list_gongs(groove: str, metre: Metre | None, context: MusicContext, bar: int) -> list[tuple[float, str]]:
    """List the gongs of a groove's cycle in a bar: the beats from its start, and GONG, KEMPUL or KENONG."""
    syllables = _cut_bar(groove, metre, context, bar)
    return [(position, syllable) for position, syllable in syllables if syllable in CYCLES[groove].gongs]


def is_end_weighted(groove: str) -> bool:
    """Tell whether phrases rest on their last beat in a groove."""
    return groove in CYCLES and CYCLES[groove].is_end_weighted


def _cut_bar(groove: str, metre: Metre | None, context: MusicContext, bar: int) -> list[tuple[float, str]]:
    """Return a bar's syllables and their beats from its start: a part of a long cycle, or several short ones."""
    line, per_bar = find_cycle_line(groove, metre, context.beats_per_bar), float(context.beats_per_bar)
    if not line:
        return []
    syllables, beats = _parse_line(line, 1.0 if metre is None else metre.unit_beats)
    bars = max(1, round(beats / per_bar))
    end_bar = context.phrase.start_bar + context.phrase.bars
    first = ((bar - end_bar if CYCLES[groove].is_end_weighted else bar) % bars) * per_bar
    repeats = max(1, round(per_bar / beats))
    placed = [(turn * beats + beat - first, syllable) for turn in range(repeats) for beat, syllable in syllables]
    return [(position, syllable) for position, syllable in placed if -1e-6 <= position < per_bar - 1e-6]


@lru_cache(maxsize=128)
def _parse_line(line: str, unit_beats: float) -> tuple[tuple[tuple[float, str], ...], float]:
    """Return the syllables of a cycle with their beats, without the silent ones, and how many beats it lasts."""
    words = line.replace("|", " ").split()
    syllables = []
    for number, word in enumerate(words):
        parts = word.split("-")
        syllables += [((number + place / len(parts)) * unit_beats, part) for place, part in enumerate(parts)]
    return tuple((beat, part) for beat, part in syllables if part != "."), len(words) * unit_beats
