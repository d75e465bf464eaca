"""The named forms: their sections as a musician would write them down, and each phrase's role.

A form is an opening, units that come round, and a finish. Sections are phrases of four bars, two of them as a rule a
question (`?`) and its answer (`.`). Phrases of one letter open with the same chords and the same motif, which is the
hook that returns; other letters have others. Between 0 and 1 the energy builds, below 0 it lies low.

Sources, from memory: song and thirty-two bars after Covach, "Form in Rock Music" (2005); jigs, reels and polskas play
each part twice; the blues of twelve bars after Koch, "Blues" in Grove; sentence and period after Caplin, "Classical
Form" (1998); verse and montuno after Mauleón, "Salsa Guidebook" (1993).
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

BARS_PER_PHRASE = 4
ARC, OPEN = "arc", "open"
# How a phrase is built. A period's phrases each state motif, answer, motif and cadence. A sentence of eight bars states
# an idea twice without a cadence (its presentation), then breaks it up and closes (its continuation).
PERIOD, PRESENTATION, CONTINUATION = "period", "presentation", "continuation"
_ROUND_ENERGY = 0.15  # what a section gains each time that it returns, twice at most


class PhraseRole(NamedTuple):
    """A phrase's role in the form.

    `letter` names what returns: opening chords and motif, inside a `theme`. `variation` counts its returns, `repeat`
    those of its section, which is accompanied otherwise each time. `closed`: it ends on the tonic. `energy` (-1 to 1)
    is where it stands in the rise and fall of the form. `silent` are the parts that do not play. `opens_home`: its
    first chord is the tonic. `pauses`: the melody waits for half of it, where it is calm. `breaks`: the drums break off
    before its last bar. `pace` multiplies the melody's notes. `degrees` fixes its chords, as mode degrees a bar.
    `is_literal`: it returns note for note, as in a dance. `build` is PERIOD, PRESENTATION or CONTINUATION. `arrival` is
    1 where the emotion's rise called for its section, -1 where its fall did. `starts`: a named section begins.
    """

    letter: str
    variation: int = 0
    closed: bool = False
    section: str = ""
    theme: int = 0
    repeat: int = 0
    energy: float = 0.0
    silent: tuple[str, ...] = ()
    opens_home: bool = True
    pauses: bool = False
    breaks: bool = False
    pace: float = 1.0
    degrees: tuple[int, ...] = ()
    is_literal: bool = False
    build: str = PERIOD
    arrival: int = 0
    starts: bool = False

    @property
    def is_contrast(self) -> bool:
        """Whether it is another part than the first: it rises higher, and moves more."""
        return self.letter != "A"

    def identify(self, index: int) -> int | str:
        """Return what a phrase's details are drawn by: its number, or its role where it returns note for note."""
        return f"{self.section} {self.variation}" if self.is_literal else index


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its name, and its phrases as letters with `?` (a question) or `.` (an answer).

    `energies`: one for each phrase. `degrees`: the mode degrees of each phrase's bars, where the form fixes them. The
    rest is as in PhraseRole; `breaks` and `pauses` are those of its last and its first phrase.
    """

    name: str
    phrases: str
    energies: tuple[float, ...]
    silent: tuple[str, ...] = ()
    opens_home: bool = True
    pauses: bool = False
    breaks: bool = False
    pace: float = 1.0
    is_literal: bool = False
    degrees: tuple[tuple[int, ...], ...] = ()

    def list_roles(self, *, repeat: int) -> Iterator[PhraseRole]:
        """List the roles of its phrases; `repeat` is how often the section has been played."""
        letters = self.phrases.split()
        for number, mark in enumerate(letters):
            letter = mark[0]
            gain = 0.0 if self.is_literal else _ROUND_ENERGY * min(2, repeat)  # a tune keeps its height
            energy = self.energies[number] + gain
            yield PhraseRole(
                letter,
                sum(other[0] == letter for other in letters[:number]),
                closed=mark[1] == ".",
                section=self.name,
                repeat=repeat,
                energy=max(-1.0, min(1.0, energy)),
                silent=self.silent,
                opens_home=self.opens_home,
                pauses=self.pauses and number == 0,
                breaks=self.breaks and number == len(letters) - 1,
                pace=self.pace,
                is_literal=self.is_literal,
                starts=number == 0,
                degrees=self.degrees[number] if self.degrees else (),
            )


Sections = tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """A named form: what opens it, the units that come round in turn, and what finishes it.

    `returns` are the numbers of its last phrases that may be played again before the end, the largest first. `short` is
    what it is where there are too few bars for one unit. `is_free`: its pairs of phrases may be sentences.
    """

    name: str
    help: str
    units: tuple[Sections, ...]
    opening: Sections = ()
    finish: Sections = ()
    intro: Section | None = None
    returns: tuple[int, ...] = ()
    short: tuple[Sections, ...] = ()
    is_free: bool = False


_TUNE_AND_DRUMS = ("melody", "percussion")
_VERSE = Section("verse", "A? A.", (-0.5, -0.3))
_CHORUS = Section("chorus", "C? C.", (0.5, 0.6))
_BRIDGE = Section("bridge", "B? B?", (-0.4, 0.2), opens_home=False, breaks=True)
_LAST_CHORUS = Section("chorus", "C? C.", (0.9, 1.0))
_FIRST = Section("A", "A? A.", (-0.4, -0.2))
_FIRST_PART = Section("A", "A? A.", (-0.4, -0.2), is_literal=True)
_SECOND_PART = Section("B", "B? B.", (0.3, 0.5), opens_home=False, is_literal=True)
_MIDDLE = Section("B", "B? B?", (0.3, 0.6), opens_home=False, breaks=True)
_HEAD_OUT = Section("A", "A? A.", (0.9, 0.5))
# Of the twelve bars: I I I I, IV IV I I, V IV I V.
_TWELVE_BARS = ((0, 3, 0, 0), (3, 3, 0, 0), (4, 3, 0, 4))
_CHORUS_OF_TWELVE = Section("chorus", "A? A? B?", (-0.3, 0.1, 0.5), degrees=_TWELVE_BARS)

FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form(
            "song",
            "intro, verses and choruses, a bridge, and the chorus again",
            units=((_VERSE, _CHORUS),),
            finish=(_BRIDGE, _LAST_CHORUS),
            intro=Section("intro", "C?", (-0.7,), silent=_TUNE_AND_DRUMS),
            returns=(2,),
            is_free=True,
        ),
        Form(
            "aaba",
            "thirty-two bars: a part twice, a middle, the part again",
            units=((_FIRST, _FIRST, _MIDDLE, _HEAD_OUT),),
            intro=Section("intro", "A?", (-0.7,), silent=_TUNE_AND_DRUMS),
            returns=(4, 2),
            short=((Section("A", "A? A.", (-0.4, -0.1)), Section("B", "B?", (0.6,), opens_home=False),
                    Section("A", "A.", (0.8,))),),
        ),
        Form(
            "aabb",
            "a dance: two parts of eight bars, each played twice",
            units=((_FIRST_PART, _FIRST_PART, _SECOND_PART, _SECOND_PART),),
            intro=Section("intro", "A?", (-0.6,), silent=("melody",)),
            returns=(4, 2),
            short=((Section("A", "A? A.", (-0.3, -0.1)), Section("B", "B? B.", (0.4, 0.6), opens_home=False)),),
        ),
        Form(
            "blues",
            "choruses of twelve bars: I, IV, V and their sevenths",
            units=((_CHORUS_OF_TWELVE,),),
            intro=Section("intro", "B?", (-0.6,), silent=("melody",), degrees=((4, 3, 0, 4),)),
        ),
        Form(
            "theme",
            "a theme of eight bars, then variations of it",
            opening=(Section("theme", "A? A.", (-0.5, -0.3)),),
            units=(
                (Section("figured", "A? A.", (-0.2, 0.0), pace=1.5),),
                (Section("sparse", "A? A.", (-0.6, -0.4), pace=0.6, silent=("percussion",)),),
                (Section("full", "A? A.", (0.5, 0.7), pace=1.2),),
                (Section("quiet", "A? A.", (-0.8, -0.5), pace=0.8, silent=("bass", "percussion"), breaks=True),),
            ),
            finish=(Section("last", "A? A.", (0.9, 1.0), pace=1.3),),
            intro=Section("intro", "A?", (-0.8,), silent=_TUNE_AND_DRUMS),
        ),
        Form(
            "montuno",
            "a verse of sixteen bars, then a montuno that builds as it goes round",
            opening=(Section("verse", "A? A.", (-0.5, -0.3)), Section("verse", "A? A.", (-0.3, -0.1))),
            units=((Section("montuno", "B? B.", (0.2, 0.4), opens_home=False),),),
            finish=(Section("montuno", "B? B.", (0.8, 1.0), opens_home=False),),
            intro=Section("intro", "B?", (-0.5,), silent=("melody",)),
            short=((Section("verse", "A? A.", (-0.4, -0.2)),
                    Section("montuno", "B? B.", (0.4, 0.8), opens_home=False)),),
        ),
    )
}  # fmt: skip
FORM_NAMES = (*FORMS, ARC, OPEN)

# What a groove's own music is written in; with other grooves the arc.
_FORM_BY_GROOVE = {
    "swing": "aaba", "bossa": "aaba", "son": "montuno", "bulgar": "aabb", "polska": "aabb", "reel": "aabb",
    "jig": "aabb",
}  # fmt: skip

# The arc: themes of eight phrases, twice A A' B A''. It opens, builds, and has its peak in the last phrase but one.
# Chosen so that 8-bar windows of a piece differ as people's do (POP909: notes vary by .16 of their mean, mean
# velocities by 8 steps).
_ARC = (
    PhraseRole("A", 0, energy=-0.6),
    PhraseRole("A", 1, closed=True, energy=-0.2),
    PhraseRole("B", 0, energy=0.7, opens_home=False),
    PhraseRole("A", 2, closed=True, energy=0.1),
    PhraseRole("A", 0, energy=-0.4, pauses=True),
    PhraseRole("A", 1, closed=True, energy=0.2, breaks=True),
    PhraseRole("B", 0, energy=1.0, opens_home=False),
    PhraseRole("A", 2, closed=True, energy=0.1),
)
PHRASES_PER_THEME = len(_ARC)
PHRASES_PER_ROUND = 4
# Of the arc's places: where a rise arrives (the last one again, past it), and where a fall comes to rest.
PEAKS, LOWS = (2, 6), (0, 4, PHRASES_PER_THEME)


def find_arc_role(number: int) -> PhraseRole:
    """Return the role of phrase `number` of the arc, from 0."""
    theme, position = divmod(number, PHRASES_PER_THEME)
    return _ARC[position]._replace(theme=theme, repeat=number // PHRASES_PER_ROUND)


def choose_form(groove: str, *, length_bars: int | None) -> str:
    """Choose the form for a groove (one of GROOVES or empty): its own if there are bars enough, else the arc."""
    name = _FORM_BY_GROOVE.get(groove)
    if name is None or (length_bars is not None and length_bars < count_fewest_bars(name)):
        return OPEN if length_bars is None else ARC
    return name


def count_phrases(sections: Sections) -> int:
    """Count the phrases of some sections."""
    return sum(len(section.phrases.split()) for section in sections)


def count_fewest_bars(name: str) -> int:
    """Count the bars that a form needs at the least."""
    if name in (ARC, OPEN):
        return 1
    form = FORMS[name]
    units = form.short or (form.opening + form.units[0],)
    return BARS_PER_PHRASE * count_phrases(units[0])


def arrange_sections(form: Form, bars: int) -> Sections:
    """Arrange a form's sections for about so many bars, four bars a phrase.

    The finish and as many units as there is room for come first; then the last phrases again, an intro, and a coda.
    What is left, three bars at the most, is for the ending.
    """
    room = bars // BARS_PER_PHRASE
    units, opening = form.units, form.opening
    if count_phrases(opening + units[0]) > room and form.short:
        units, opening = form.short, ()
    chosen, finish = list(opening), form.finish
    room -= count_phrases(opening)
    if units is form.short or count_phrases(units[0] + finish) > room:
        finish = ()
    room -= count_phrases(finish)
    number = 0
    while (size := count_phrases(units[number % len(units)])) <= room:
        chosen += units[number % len(units)]
        room -= size
        number += 1
    chosen += finish
    for returns in form.returns:
        last: list[Section] = []
        while count_phrases(tuple(last)) < returns:
            last.insert(0, chosen[-1 - len(last)])
        if count_phrases(tuple(last)) <= room:
            chosen += last
            room -= count_phrases(tuple(last))
    if form.intro is not None and room >= 1:
        chosen.insert(0, form.intro)
        room -= 1
    while room >= 1:
        letter = chosen[-1].phrases[-2]
        chosen.append(Section("coda", f"{letter}.", (0.2,), opens_home=chosen[-1].opens_home))
        room -= 1
    return tuple(chosen)


def list_round(form: Form) -> tuple[Sections, Sections]:
    """List what a form without an end plays once, and then again and again."""
    opening = ((form.intro,) if form.intro is not None else ()) + form.opening
    if form.finish and not form.opening:
        return opening, (*form.units[0], *form.units[0], *form.finish)
    return opening, tuple(section for unit in form.units for section in unit)


def list_roles(sections: Sections) -> tuple[PhraseRole, ...]:
    """List the roles of the phrases of some sections; each section counts its own returns."""
    counts: dict[str, int] = {}
    roles: list[PhraseRole] = []
    for section in sections:
        repeat = counts.get(section.name, 0)
        counts[section.name] = repeat + 1
        roles += section.list_roles(repeat=repeat)
    return tuple(roles)


def form_sentences(roles: tuple[PhraseRole, ...], names: Collection[str]) -> tuple[PhraseRole, ...]:
    """Make sentences of the pairs of phrases in the sections of some names: a question, and an answer of its letter."""
    found = list(roles)
    for number, (first, second) in enumerate(itertools.pairwise(roles)):
        is_pair = (first.section, first.letter, first.closed) == (second.section, second.letter, not second.closed)
        if is_pair and second.closed and first.section in names:
            found[number : number + 2] = first._replace(build=PRESENTATION), second._replace(build=CONTINUATION)
    return tuple(found)
