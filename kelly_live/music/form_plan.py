"""Plans the form of a session: which phrase each bar belongs to, where it stands, and where it turns.

With a length the named form's sections are arranged to fill it. Without one they come round for ever. The open form is
the arc, but it turns where the feeling has moved: a rise goes on to the arc's next peak, a fall to its next low. Where
a phrase begins can be computed from its number alone, so that a session may go on at any bar.
"""

from __future__ import annotations

from typing import NamedTuple

from kelly_live.core.errors import ConfigError
from kelly_live.core.wording import plural
from kelly_live.music.forms import (
    ARC,
    BARS_PER_PHRASE,
    CONTINUATION,
    FORM_NAMES,
    FORMS,
    LOWS,
    OPEN,
    PEAKS,
    PERIOD,
    PHRASES_PER_ROUND,
    PHRASES_PER_THEME,
    PRESENTATION,
    PhraseRole,
    arrange_sections,
    count_fewest_bars,
    find_arc_role,
    form_sentences,
    list_roles,
    list_round,
)
from kelly_live.music.randomness import pick, rng_for

# Of the pairs of phrases: four bars and four, one bar less and one more (the answer comes in on the bar where the
# question would have rested), or the other way round.
_PAIRS = {0: 0.88, -1: 0.07, 1: 0.05}
_ROUNDS_PER_TUNE = 3  # without an end: a tune goes round so often, then another one comes
_SENTENCES = 0.25  # of the pairs of four and four whose phrases have one letter
_ENDING_BARS = 2  # so many bars are added to the last phrase at the most; one more gets a phrase of its own
_TURN = 0.1  # of the intensity (music/form.py): a third of the way from sad to excited
_SETTLING = 0.5  # share of the way that the reference goes to the intensity at each phrase that does not turn


class Slot(NamedTuple):
    """A phrase's place in the session: its number, role and bars, and the roles beside it.

    `leads_home`: the closing bar follows.
    """

    number: int
    role: PhraseRole
    preceding: PhraseRole | None
    following: PhraseRole
    start_bar: int
    bars: int
    leads_home: bool = False


def check_form(name: str, *, length_bars: int | None) -> None:
    """Refuse a form that a number of bars has no room for, or that has no end. Raises ConfigError."""
    if name not in FORM_NAMES:
        raise ConfigError(f"form is {name!r}; it must be one of {', '.join(FORM_NAMES)}")
    if length_bars is None:
        return
    if name == OPEN:
        raise ConfigError(f"the form {OPEN} has no end, and a composition has; take another, such as {ARC}")
    fewest = count_fewest_bars(name)
    if length_bars < fewest:
        raise ConfigError(
            f"the form {name} takes {plural(fewest, 'bar')} or more, not {length_bars}; "
            f"compose more bars, or take --form {ARC}"
        )


class FormPlan:
    """The phrases of a session in one form.

    With `length_bars` the last bar is the closing one. `is_square`: all phrases are of four bars and none is half of a
    sentence, as a tradition's tunes are built. Raises ConfigError.
    """

    def __init__(self, name: str, *, seed: int, length_bars: int | None, is_square: bool = False) -> None:
        check_form(name, length_bars=length_bars)
        self.name = name
        self._seed = seed
        self._length_bars = length_bars
        self._is_square = is_square
        self._form = FORMS.get(name)
        self._opening: tuple[PhraseRole, ...] = ()
        self._round: tuple[PhraseRole, ...] = ()
        if self._form is not None and length_bars is not None:
            self._opening = self._choose_sentences(list_roles(arrange_sections(self._form, length_bars)))
        elif self._form is not None:
            opening, again = list_round(self._form)
            self._opening = self._choose_sentences(list_roles(opening))
            self._round = self._choose_sentences(list_roles(again))
        self._turned = 0  # how many places of the arc were skipped
        self._turned_index, self._arrival = -1, 0
        self._intensity: float | None = None
        self._slot: Slot | None = None  # the one that was asked for last

    def reset(self) -> None:
        """Begin again, as if nothing had turned."""
        self._turned = self._arrival = 0
        self._turned_index, self._intensity, self._slot = -1, None, None

    def find_slot(self, bar: int) -> Slot:
        """Find the phrase that a bar belongs to; before the closing bar the last phrase is cut or extended to fit."""
        slot = self._slot
        if slot is None or not slot.start_bar <= bar < slot.start_bar + slot.bars:
            self._slot = slot = self._compute_slot(bar)
        return slot

    def _compute_slot(self, bar: int) -> Slot:
        index = bar // BARS_PER_PHRASE
        if bar < self._find_start(index):
            index -= 1
        elif bar >= self._find_start(index + 1):
            index += 1
        start, end, last = self._find_start(index), self._find_start(index + 1), None
        if self._length_bars is not None:
            last = self._length_bars - 1
            phrases = len(self._opening)
            if phrases and self._length_bars - BARS_PER_PHRASE * phrases <= _ENDING_BARS and index >= phrases - 1:
                index, start, end = phrases - 1, BARS_PER_PHRASE * (phrases - 1), last
            end = min(end, last)
        preceding = self._find_role(index - 1) if index else None
        role, following = self._find_role(index), self._find_role(index + 1)
        return Slot(index, role, preceding, following, start, end - start, leads_home=end == last)

    def find_half(self, bar: int) -> tuple[int, bool]:
        """Find a bar's phrase by its number, and whether it lies in the phrase's second half."""
        slot = self.find_slot(bar)
        return slot.number, bar - slot.start_bar >= slot.bars // 2

    def enter(self, bar: int, intensity: float) -> Slot:
        """Return the phrase that begins at a bar; the open form turns there, where the intensity has moved."""
        slot = self.find_slot(bar)
        reference = intensity if self._intensity is None else self._intensity
        self._intensity = reference + _SETTLING * (intensity - reference)
        moved = intensity - reference
        if self.name != OPEN or abs(moved) < _TURN or bar != BARS_PER_PHRASE * slot.number:
            return slot
        goals = PEAKS if moved > 0.0 else LOWS
        theme, position = divmod(slot.number + self._turned, PHRASES_PER_THEME)
        goal = next((role for role in goals if role >= position), goals[-1])
        self._turned, self._turned_index = theme * PHRASES_PER_THEME + goal - slot.number, slot.number
        self._arrival, self._intensity, self._slot = (1 if moved > 0.0 else -1), intensity, None
        return self.find_slot(bar)

    def _find_role(self, index: int) -> PhraseRole:
        if self._form is None:
            role = self._find_arc_role(index)
        elif index < len(self._opening):
            role = self._opening[index]
        elif self._round:
            rounds, number = divmod(index - len(self._opening), len(self._round))
            role = self._round[number]
            role = role._replace(repeat=role.repeat + rounds, theme=rounds // _ROUNDS_PER_TUNE)
        else:
            role = self._opening[-1]._replace(section="coda", closed=True, build=PERIOD, degrees=())
        return role._replace(arrival=self._arrival) if index == self._turned_index else role

    def _find_arc_role(self, index: int) -> PhraseRole:
        position = index + self._turned
        role, first = find_arc_role(position), index - position % 2
        if self._is_square or role.is_contrast or position % PHRASES_PER_ROUND > 1 or self._shift_pair(first):
            return role
        if rng_for(self._seed, "sentence", role.theme).random() >= _SENTENCES:
            return role
        return role._replace(build=CONTINUATION if role.closed else PRESENTATION)

    def _choose_sentences(self, roles: tuple[PhraseRole, ...]) -> tuple[PhraseRole, ...]:
        """Make sentences of the pairs of some sections, the same whenever a section returns."""
        if self._form is None or not self._form.is_free or self._is_square:
            return roles
        names = {role.section for role in roles if rng_for(self._seed, "sentence", role.section).random() < _SENTENCES}
        return form_sentences(roles, names)

    def _find_start(self, index: int) -> int:
        """Find the bar where phrase `index` begins."""
        start = BARS_PER_PHRASE * index
        position = index + self._turned
        return start + self._shift_pair(index - 1) if position % 2 else start

    def _shift_pair(self, first: int) -> int:
        """Return how many bars later the second phrase of a pair begins; only the arc's pairs may be uneven."""
        position = first + self._turned
        if self._form is not None or self._is_square or position < 2 or first <= self._turned_index:
            return 0
        return pick(rng_for(self._seed, "pair", position), _PAIRS)
