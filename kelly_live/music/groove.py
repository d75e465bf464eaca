"""Grooves: how the whole rhythm section plays together, as patterns that a musician can read.

A pattern is one bar of sixteenths, a character each; a tuple of patterns is a cycle of bars, counted from the phrase's
start. Where the band plays in thirds of a beat, the two inner sixteenths move to the thirds.

Drums  X struck firmly, x usually, - softly, o a ghost note: among people's strokes in that place (music/drumming.py).
       A line is a General MIDI key and its patterns.
Bass   R root, 5 fifth, 8 octave, 3 third, A a step into the next root, N the next chord's root ahead of it, B the
       semitone above the root, W a walking tone, D a tone of a line that falls.
Chords X all voices, firmly; x the upper voices; d the two inner ones; 0 1 2 3 one voice, 0 the lowest; P root and
       fifth, low.

The levels of a part are patterns with the least density that each asks for; the last one that is reached is played. The
chords take a restless feeling for more density, a light one for less (generators/builtin/chords.py).

`balance`, `lowest_bass` and `chords_lower` are how heavy a groove is: light is joy, loud, low and doubled is anger
(Juslin & Laukka 2003; Gabrielsson & Lindström 2010). Their sizes were chosen by judges on seeds 1 to 12, and the usual
balance of bass and tune is that of EMOPIA's pianists (docs/likeness.md; generators/builtin/bass.py).

Sources of the patterns, all from memory: swing and bossa nova after Riley, "The Art of Bop Drumming" (1994), son
after Mauleón, "Salsa Guidebook" (1993), bulgar after Strom, "The Book of Klezmer" (2002). Which feeling asks for which
groove: mapping/groove.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kelly_live.core.values import GROOVES

KICK, SNARE, RIM, CLAP, CLOSED_HAT, PEDAL_HAT, OPEN_HAT = 36, 38, 37, 39, 42, 44, 46
CRASH, RIDE, BELL, LOW_TOM, MID_TOM, HIGH_TOM = 49, 51, 56, 45, 47, 50
SHAKER, CLAVE, LOW_CONGA, OPEN_CONGA, SLAP_CONGA, BASS_DRUM, TAMBOURINE, WOOD_BLOCK = 70, 75, 64, 63, 62, 35, 54, 76

Levels = tuple[tuple[float, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class DrumLine:
    """One instrument of the kit: its key, the least density that it plays at, and a cycle of bars."""

    key: int
    bars: tuple[str, ...]
    density: float = 0.0


@dataclass(frozen=True, slots=True)
class Closing:
    """How the music ends: the last bar, on the tonic, and what comes before it.

    The band breaks off `break_beats` before the last bar. Its last stroke lasts `stroke_beats` (None: it is held to the
    bar's end), at `accent` times its loudness. `in_unison` leaves the chords' third out. `drums` strike with it.
    """

    break_beats: float = 0.0
    stroke_beats: float | None = None
    accent: float = 1.0
    in_unison: bool = False
    drums: tuple[DrumLine, ...] = (DrumLine(KICK, ("X",), 0.8), DrumLine(CRASH, ("x",), 1.2))


@dataclass(frozen=True, slots=True)
class Groove:
    """How a rhythm section plays: drums, bass and chords by the beats of a bar, and what goes with them.

    A part without patterns for the bar in force plays as the plain band does. `gate` is the share of their usual length
    that the melody's notes last, `leaps` the chance that a strong beat leaps. `melody_range` is the share of its usual
    range that a phrase of the melody moves in; `falls` lets it fall from its start instead of rising to an arc.
    `stroke_beats` is how long the chords' notes last at most, and makes the bass detached; None: they ring. `resolves`
    False leaves clashes of the chords with the melody standing. `is_broken_off` lets answers end on the sixth degree
    instead of the tonic; `is_chromatic` moves weak notes of the melody by semitones into the next one. `drummers` are
    those whose touch the drummer has, one of music/drumming.py's DRUMMERS. `balance` is how firmly bass, chords and
    drums play, as shares of their usual weight against the tune's. `lowest_bass`: the bass goes an octave down where it
    stays at or above this MIDI note; `chords_lower`: so many semitones the chords lie below their usual place. `closing`
    says how the music ends.
    """

    name: str
    help: str
    drums: Mapping[int, tuple[DrumLine, ...]] = field(default_factory=dict)
    bass: Mapping[int, Levels] = field(default_factory=dict)
    chords: Mapping[int, Levels] = field(default_factory=dict)
    gate: float = 1.0
    leaps: float = 0.0
    melody_range: float = 1.0
    falls: bool = False
    resolves: bool = True
    is_broken_off: bool = False
    stroke_beats: float | None = None
    has_fills: bool = True
    is_chromatic: bool = False
    rhythm: str = ""
    drummers: str = "backbeat"
    closing: Closing = Closing()
    balance: Mapping[str, float] = field(default_factory=dict)
    lowest_bass: int | None = None
    chords_lower: int = 0

    def __hash__(self) -> int:
        return hash(self.name)


def choose_level(levels: Levels, density: float, bar: int) -> str | None:
    """Return the pattern of a bar (counted from the phrase's start) at a density; None below the lowest level."""
    reached = [bars for least, bars in levels if density >= least]
    return reached[-1][bar % len(reached[-1])] if reached else None


def place_cell(cell: int, rhythm: str) -> float:
    """Return the beats from the bar's start to a sixteenth, or to its third of a beat."""
    beat, inner = divmod(cell, 4)
    return beat + ((0.0, 1 / 3, 2 / 3, 2 / 3)[inner] if rhythm == "triplet" else inner / 4.0)


PATTERNS: Mapping[str, Groove] = {
    groove.name: groove
    for groove in (
        Groove(
            "ballad",
            "soft rim and hat, long bass notes, chords that flow up and down",
            drums={
                4: (
                    DrumLine(RIM, ("........X.......",), 0.55),
                    DrumLine(CLOSED_HAT, ("x.-.x.-.x.-.x.-.",), 0.75),
                    DrumLine(KICK, ("X.........x.....", "X.............-."), 0.75),
                    DrumLine(SNARE, (".........o......", "...........o...o"), 0.9),
                )
            },
            bass={4: ((0.0, ("R...............",)), (0.4, ("R.......5.......", "R.......3.......")),
                      (0.7, ("R...5...8...5...", "R...5...8...3...")))},
            chords={4: ((0.0, ("0.1.2.3.2.......", "0.1.2.3.2.1.....")),
                        (0.45, ("0.1.2.3.2.1.2.1.", "0.1.2.3.2.3.2.1.")))},
            balance={"bass": 0.7, "chords": 0.9},
        ),
        Groove(
            "pop",
            "claps on two and four, tambourine off the beat, a bass in two",
            drums={
                4: (
                    DrumLine(KICK, ("X.......x.......", "X.....x.x......."), 0.4),
                    DrumLine(CLAP, ("....X.......X...",), 0.7),
                    DrumLine(TAMBOURINE, ("..x...x...x...x.",), 0.8),
                    DrumLine(CLOSED_HAT, ("x.-.x.-.x.-.x.-.",), 0.9),
                    DrumLine(SNARE, (".......o.o......", "..o....o.......o"), 0.9),
                    DrumLine(OPEN_HAT, ("................", "..............x."), 1.2),
                )
            },
            bass={4: ((0.0, ("R.......5.......",)), (1.2, ("R.......5.....A.", "R.......5...A...")))},
            balance={"bass": 0.9, "drums": 0.85},
        ),
        Groove(
            "rock",
            "kick and bass locked in eighths, a riff of low fifths",
            drums={
                4: (
                    DrumLine(KICK, ("X.x...x.X.x.....", "X.x...x...x...x."),),
                    DrumLine(SNARE, ("....X.......X...", "....X.......X..x"),),
                    DrumLine(CLOSED_HAT, ("X.X.X.X.X.X.X.X.",), 0.4),
                    DrumLine(SNARE, (".......o.o......", "..o......o.o...."), 0.9),
                    DrumLine(CRASH, ("X...............", "................", "................", "................"), 0.8),
                )
            },
            bass={4: ((0.0, ("R.R...R.R.R.....", "R.R...R...R...R.")), (0.6, ("R.R.R.R.R.R.R.R.",)),
                      (0.9, ("R.RRR.R.R.RRR.B.", "R.RRR.R.R.R.A.A.")), (1.3, ("R.RRR.RRR.RRR.BB", "R.RRR.RRR.RRA.A.")))},
            # A few strokes have the third, or minor is not heard.
            chords={4: ((0.0, ("P.....P.X.......", "P.....X...P.....")), (0.75, ("P.P...X.P.P.....",)),
                        (1.0, ("P.P...X.P.P...X.", "P.P...X...P.P.X.")), (1.5, ("P.P.P.X.P.P.P.X.", "P.PPP.X.P.P.X.P.")))},
            resolves=False,
            gate=0.9,
            # A riff has no last chord to hold: a breath, and all strike together.
            closing=Closing(0.5, 0.5, accent=1.2, in_unison=True, drums=(
                DrumLine(KICK, ("X",)), DrumLine(SNARE, ("X",)), DrumLine(CRASH, ("x",), 0.8))),
            balance={"bass": 1.2, "drums": 0.92},
            lowest_bass=24,  # C1: a bass tuned down
            chords_lower=5,
        ),
        Groove(
            "suspense",
            "a heartbeat, a clock, an ostinato that leans on a semitone, a tremolo over it, sudden silence",
            drums={
                4: (
                    DrumLine(BASS_DRUM, ("X.x.............", "X.x.............", "X.x.............", "X.x............."),),
                    DrumLine(WOOD_BLOCK, ("X.x.X.x.X.x.X.x.", "X.x.X.x.X.x.X.x.", "X.x.X.x.X.x.X.x.", "X.x.X.x........."), 0.5),
                    DrumLine(SHAKER, ("X-x-X-x-X-x-X-x-", "X-x-X-x-X-x-X-x-", "X-x-X-x-X-x-X-x-", "X-x-X-x-........"), 1.0),
                    DrumLine(CRASH, ("X...............", "................", "................", "................"), 1.0),
                    # A cymbal swells into the turn of the bars, and out of the silence.
                    DrumLine(RIDE, ("................", "........oooo--xx", "................", "............o-xX"), 0.5),
                    DrumLine(LOW_TOM, ("................", "............o.o.", "................", "................"), 0.8),
                )
            },
            bass={4: ((0.0, ("R...B...R...B...", "R...B...R.......", "R...B...R...B...", "R...B...........")),
                      (0.6, ("R.R.B.R.R.R.B.R.", "R.R.B.R.R.R.B.R.", "R.R.B.R.R.R.B.R.", "R.R.B.R.........")),
                      (1.1, ("R.RRB.R.R.RRB.R.", "R.RRB.R.R.RRB.R.", "R.RRB.R.R.RRB.R.", "R.RRB.RR........")))},
            chords={4: ((0.0, ("X...............", "X...............", "X.......3.......", "X...............")),
                        (0.8, ("X.......d3d3d3d3", "X.......d3d3d3d3", "X.......d3d3d3d3", "X.d3d3d3........")),
                        (1.3, ("X3d3d3d3d3d3d3d3", "X3d3d3d3d3d3d3d3", "X3d3d3d3d3d3d3d3", "X3d3d3d3........")))},
            resolves=False,
            gate=0.7,
            is_chromatic=True,
            has_fills=False,
            drummers="all",
            # It breaks off; after half a bar of nothing the tonic lies there, bare and low.
            closing=Closing(2.0, in_unison=True, drums=(DrumLine(BASS_DRUM, ("x",)),)),
            balance={"bass": 1.2},
        ),
        Groove(
            "stop-time",
            "hits with silence between them, leaps, answers that break off",
            drums={
                4: (
                    DrumLine(KICK, ("X..x............", "X.....X.........", "X..x..X.........", "............X..."),),
                    DrumLine(SNARE, ("......X.........", "..........X.....", "..........X...x.", "..............X."), 0.3),
                    DrumLine(CRASH, ("................", "......X.........", "................", "............X..."), 0.6),
                    DrumLine(CLOSED_HAT, ("........x.x.x.x.", "............x.x.", "................", "x.x.x.x........."), 0.8),
                    DrumLine(SNARE, ("........o..o..o.", "............o..o", "...........oo.oo", "................"), 0.9),
                )
            },
            bass={4: ((0.0, ("R...............", "R.....8.........", "R.....5.........", "............A...")),
                      (0.6, ("R..R............", "R.....8.........", "R..R..5.........", "............A.R.")),
                      (0.9, ("R..8....5.......", "R.....8.....A...", "R..R..8...5.....", "R...........A.8.")))},
            chords={4: ((0.0, ("X...............", "......X.........", "X.....X.........", "............X...")),
                        (0.5, ("X..X............", "......X.........", "X..X..X.........", "............X...")),
                        (0.75, ("X..X......3.2.1.", "......X.....0.3.", "X..X..X.........", "3.2.1.0.....X...")),
                        (1.1, ("X..X..X...3.2.1.", "......X...3.0.3.", "X..X..X...X.....", "3.2.1.0.....X..X")))},
            gate=0.55,
            leaps=0.4,
            is_broken_off=True,
            stroke_beats=0.3,
            drummers="funk",
            closing=Closing(1.0, 0.3, accent=1.15, drums=(
                DrumLine(KICK, ("X",)), DrumLine(SNARE, ("x",), 0.3), DrumLine(CRASH, ("x",), 0.6))),
        ),
        Groove(
            "march",
            "heavy twos, held low chords, a snare that grinds",
            drums={
                4: (
                    DrumLine(KICK, ("X.......X.......",),),
                    DrumLine(SNARE, ("....X.......X.oo", "....X..oX.o.X...",), 0.4),
                    DrumLine(SNARE, ("..o...o.o.o...o.", "..o.o.o...o.o.o."), 0.85),
                    DrumLine(CRASH, ("........x.......", "................"), 0.9),
                )
            },
            bass={4: ((0.0, ("R.......5.......",)), (0.7, ("R...B...5...B...", "R...5...R...B.A.")))},
            # Short afterbeats of all voices are heard as glad, by judges that learned from people's music.
            chords={4: ((0.0, ("X.......X.......",)), (0.85, ("X.......X...2...", "X.......X.....x.")))},
            resolves=False,
            gate=0.95,
            drummers="all",
            balance={"bass": 1.2, "chords": 1.2, "drums": 0.92},
            lowest_bass=24,  # C1: the double bass's extension
            chords_lower=7,
        ),
        Groove(
            "lament",
            "a bass that falls step by step, chords repeated softly, a tune that sinks, hardly a drum",
            drums={4: (DrumLine(LOW_TOM, ("o...............", "................"), 0.75),
                       DrumLine(PEDAL_HAT, ("....-.......-...",), 0.9))},
            bass={4: ((0.0, ("R...............", "D...............", "D...............", "5...............")),
                      (0.6, ("R.......D.......", "D.......D.......", "D.......D.......", "5.......A.......")))},
            chords={4: ((0.0, ("x...d...d...d...",)), (0.4, ("x.d.x.d.x.d.x.d.",)), (0.85, ("X.d.x.d.X.d.x.d.",)))},
            melody_range=0.6,
            falls=True,
            drummers="all",
            balance={"bass": 0.7, "chords": 1.15},
            chords_lower=5,
        ),
        Groove(
            "dance",
            "four on the floor, claps, tambourine and chords off the beat, a bass in three, three and two",
            drums={
                4: (
                    DrumLine(KICK, ("X...x...X...x...",),),
                    DrumLine(TAMBOURINE, ("..X...X...X...X.",), 0.4),
                    DrumLine(OPEN_HAT, ("..............x.", "......x.......x."), 1.0),
                    DrumLine(CLOSED_HAT, ("-...-...-...-...",), 0.9),
                    DrumLine(CLAP, ("....X.......X...",), 0.5),
                    DrumLine(SNARE, (".......o.......o", ".o.....o.o....oo"), 0.9),
                )
            },
            bass={4: ((0.0, ("R.....R.....5...",)), (1.3, ("R.....R.....5.A.", "R.....8.....5.A.")))},
            chords={4: ((0.0, ("..x...x...x...x.",)), (0.7, ("..X..xX...X..xX.", "x.X..xX..xX...X.")))},
            gate=0.85,
            stroke_beats=0.5,
            balance={"bass": 0.9, "drums": 0.85},
        ),
        Groove(
            "waltz",
            "one in the bass, two and three in the chords",
            drums={3: (DrumLine(KICK, ("X...........",), 0.3), DrumLine(RIM, ("....x...x...", "....x...x.o."), 0.5),
                       DrumLine(RIDE, ("x...x.-.x...", "x...x...x.-."), 0.7))},
            bass={3: ((0.0, ("R...........", "5...........")), (1.0, ("R.......A...", "5.......A...")))},
            chords={3: ((0.0, ("....x...x...",)),)},
            drummers="jazz",
        ),
        Groove(
            "swing",
            "ride and walking bass, the pedal on two and four, comping that answers",
            drums={
                4: (
                    DrumLine(RIDE, ("X...x.x.X...x.x.",),),
                    DrumLine(PEDAL_HAT, ("....X.......X...",),),
                    DrumLine(KICK, ("-...-...-...-...",), 0.5),
                    DrumLine(SNARE, ("......o.......o.", "..o.......o...x.", "..........x.....", "......x...o...o."), 0.7),
                )
            },
            bass={4: ((0.0, ("R.......W.......",)), (0.4, ("R...W...W...A...",)), (1.4, ("R...W...W.W.A...", "R.W.W...W...A...")))},
            chords={4: ((0.0, ("X.....x.........", "......x.........", "X.............x.", "..x...........x.")),
                        (0.9, ("X.....x.......x.", "......x...x.....", "x.....X.......x.", "..x...x.....x...")))},
            drummers="jazz",
        ),
        Groove(
            "bossa",
            "a rim pattern over two bars, bass with the surdo, syncopated chords",
            drums={
                4: (
                    DrumLine(RIM, ("X..x..x...x..x..", "..x...x..x..x..."), 0.3),
                    DrumLine(KICK, ("X.....xxX.....xx",), 0.4),
                    DrumLine(CLOSED_HAT, ("x-x-x-x-x-x-x-x-",), 0.5),
                )
            },
            bass={4: ((0.0, ("R.......5.......",)), (0.4, ("R.....5.5.....R.",)))},
            chords={4: ((0.0, ("X..x......x.....", "..x...x..x......")), (0.8, ("X..x..x...x..x..", "..x...x..x..x..."))),},
            drummers="latin",
        ),
        Groove(
            "son",
            "one clave, conga, a bass that comes before the beat, a montuno",
            drums={
                4: (
                    DrumLine(CLAVE, ("X..X..X...X.X...",),),
                    DrumLine(SLAP_CONGA, ("....X.......X...",), 0.3),
                    DrumLine(OPEN_CONGA, ("............x.xx", "..............xx"), 0.3),
                    DrumLine(LOW_CONGA, ("o-o-.-o-o-o-....", "o-o-.-o-o-o-.-.."), 0.6),
                    DrumLine(BELL, ("X...x.x.X...x.x.",), 0.9),
                )
            },
            bass={4: ((0.0, ("...5..N....5..N.",)),)},
            # The montuno goes with the clave: off the beat over its side of three, on it over its side of two.
            chords={4: ((0.0, (".3.1.2.30.23.1.2",)), (0.9, (".X.1.2.XX.2X.1.2", ".X.2.1.XX.1X.2.X")))},
            has_fills=False,
            drummers="latin",
        ),
        Groove(
            "bulgar",
            "three, three, two; bass and afterbeats",
            drums={
                2: (
                    DrumLine(KICK, ("X...x...",),),
                    DrumLine(SNARE, ("x..X..x.", "x..X..xo"), 0.3),
                    DrumLine(TAMBOURINE, ("..x...x.",), 0.7),
                ),
                3: (DrumLine(KICK, ("X.......x...",),), DrumLine(SNARE, ("....x...X...", "....x..oX.o."), 0.3)),
                4: (DrumLine(KICK, ("X...x...X...x...",),), DrumLine(SNARE, ("x..X..x.x..X..x.", "x..X..xox..X..xo"), 0.3)),
            },
            bass={2: ((0.0, ("R...5...",)),), 3: ((0.0, ("R.......5...",)),), 4: ((0.0, ("R...5...R...5...",)),)},
            chords={2: ((0.0, ("..x...x.",)),), 3: ((0.0, ("....x...x...",)),), 4: ((0.0, ("..x...x...x...x.",)),)},
            gate=0.9,
            drummers="all",
        ),
        Groove(
            "polska",
            "three beats of unequal weight: the first and the third",
            drums={3: (DrumLine(TAMBOURINE, ("X.......x...", "X...-...x..."), 0.4), DrumLine(KICK, ("X...........",), 0.5))},
            bass={3: ((0.0, ("R.......5...",)), (1.0, ("R.......5.A.",)))},
            chords={3: ((0.0, ("........x...",)), (0.8, ("....x...X...",)))},
            drummers="all",
        ),
        Groove(
            "reel",
            "a drum that runs in eighths, drones below",
            drums={
                4: (DrumLine(LOW_CONGA, ("X.-.x.-.X.-.x.-.", "X.-.x.-.X.-.x-x."), 0.3),
                    DrumLine(KICK, ("X.......X.......",), 0.8)),
                2: (DrumLine(LOW_CONGA, ("X.-.x.-.", "X.-.x-x."), 0.3),),
            },
            bass={4: ((0.0, ("R.......5.......",)), (0.9, ("R...5...R...5...",))), 2: ((0.0, ("R...5...",)),)},
            chords={4: ((0.0, ("....x.......x...",)), (0.9, ("..x...x...x...x.",))), 2: ((0.0, ("..x...x.",)),)},
            drummers="all",
        ),
        Groove(
            "jig",
            "two beats in threes, long and short; drones below",
            bass={2: ((0.0, ("R...5...",)),), 4: ((0.0, ("R...5...R...5...",)),)},
            chords={2: ((0.0, ("..x...x.",)),), 4: ((0.0, ("..x...x...x...x.",)),)},
            rhythm="triplet",
            has_fills=False,
            drummers="all",
        ),
        Groove("usul", "the Turkish cycle of the metre, in düm and tek", has_fills=False, drummers="all"),
        Groove("iqa", "an Arab cycle on frame drum and jingles", has_fills=False, drummers="all"),
        Groove("tala", "the Hindustani cycle of the metre, as the tabla's theka", has_fills=False, drummers="all"),
        Groove("solkattu", "the Carnatic cycle of the metre, as the mridangam says it", has_fills=False, drummers="all"),
        Groove("banyan", "Beijing opera's clapper on the strong beat, a small drum on the others", has_fills=False, drummers="all"),
        Groove("jangdan", "the Korean cycle of the metre on the hourglass drum", has_fills=False, drummers="all"),
        Groove("bon", "the big drum and its rim, as in Japanese bon dances", has_fills=False, drummers="all"),
        Groove("gamelan", "gongs that divide a Javanese cycle of sixteen beats", has_fills=False, drummers="all"),
    )
}  # fmt: skip

assert tuple(PATTERNS) == GROOVES
PLAIN_STYLE = "plain"  # how the groove of no name is written
PLAIN = Groove("", "the plain band: as its rhythm and density say")


def find_groove(name: str) -> Groove:
    """Return the groove of one of GROOVES; the plain one for an empty name."""
    return PATTERNS[name] if name else PLAIN
