"""Plans a piece along an arc: the tempo of each beat, its phrases, and where it turns and strikes.

A phrase begins on every bar line that a hit point or a sudden change falls on, so that the phrase before it leads there
and a chord arrives. Between them the form rises to the next hit point. A change without a hit point takes the nearest
bar line: it need not fall on the frame.

Pure: an arc and what the mapper makes of it come in, a plan goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import MusicParameters
from kelly_live.music.arc import Arc
from kelly_live.music.form import compute_intensity
from kelly_live.music.form_plan import Slot
from kelly_live.music.forms import BARS_PER_PHRASE, PhraseRole, find_arc_role
from kelly_live.music.groove import Closing, find_groove
from kelly_live.music.ritardando import compute_tempo_share
from kelly_live.music.tempo_limit import TempoLimit

if TYPE_CHECKING:
    from kelly_live.music.tempo_plan import TempoPlan

Ask: TypeAlias = Callable[[Arc, float], MusicParameters]  # what an arc asks for at one of its places

_LARGEST_STEP = 0.5  # what changes the tempo more from beat to beat is no tempo
_SHORTEST_PHRASE, _LONGEST_PHRASE = 2, 6
# The parameters in force lag behind what is asked for (music/smoothing.py); what is known beforehand is asked so much
# earlier.
_LEAD_BEATS = 2.0
# Of `compute_intensity`, as in music/turn_accents.py: what falls by so much at a hit point is let go there.
_FALL = 0.12
# Where phrases stand in the rise and fall of the form. Half of what the named forms have, as the arc itself rises and
# falls: judges hear more of its arousal so (`kelly-live lab arcs`, seeds 7001-7012, r over all windows by the judge of
# notes .87 to .92, by listeners .68 to .70; published .71 both).
_CLIMAX, _RELEASE, _LULL, _RISE = 0.3, -0.1, -0.2, 0.2


@dataclass(frozen=True, slots=True)
class ArcPlan:
    """How a piece follows an arc in seconds.

    `hit_beats` are the beats of its hit points. `turns`: the beats where a feeling begins at once. `anchors` are the
    seconds of the arc that begin on beats. `slots` are its phrases (None: those of a named form). `closing` says how
    the last chord is struck, `end_seconds` where it stops.
    """

    arc: Arc
    tempo: TempoPlan
    hit_beats: tuple[float, ...]
    turns: tuple[float, ...]
    anchors: tuple[tuple[float, float], ...]
    slots: tuple[Slot, ...] | None
    closing: Closing
    end_seconds: float

    @property
    def bars(self) -> int:
        """The number of bars, the closing one included."""
        return self.tempo.bars

    def find_place(self, beat: float, *, ahead: bool = False) -> float:
        """Return the second of the arc that is played at a beat; `ahead`: what the music should move to by now.

        Nothing moves ahead of a turn.
        """
        place = self._place_at(beat)
        if not ahead:
            return place
        before = next((place for at, place in self.anchors if at > beat and at in self.turns), None)
        coming = self._place_at(beat + _LEAD_BEATS)
        return coming if before is None else max(place, min(coming, before - 1e-6))

    def _place_at(self, beat: float) -> float:
        second = self.tempo.tempo_map.seconds_at(beat)
        start_beat, start, following = 0.0, 0.0, None
        for at, place in self.anchors:
            if at > beat:
                following = at, place
                break
            start_beat, start = at, place
        if following is None:
            return start + second - self.tempo.tempo_map.seconds_at(start_beat)
        begin, end = self.tempo.tempo_map.seconds_at(start_beat), self.tempo.tempo_map.seconds_at(following[0])
        return start + (second - begin) / (end - begin) * (following[1] - start)


class PlannedForm:
    """The phrases of an arc, asked for as those of a FormPlan."""

    name = "hit points"

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._slots = slots

    def reset(self) -> None:
        """Begin again."""

    def find_slot(self, bar: int) -> Slot:
        """Find the phrase that a bar belongs to; the last one after the end."""
        return next((slot for slot in self._slots if bar < slot.start_bar + slot.bars), self._slots[-1])

    def find_half(self, bar: int) -> tuple[int, bool]:
        """Find a bar's phrase by its number, and whether it lies in the phrase's second half."""
        slot = self.find_slot(bar)
        return slot.number, bar - slot.start_bar >= max(1, slot.bars // 2)

    def enter(self, bar: int, intensity: float) -> Slot:
        """Return the phrase that begins at a bar; the intensity turns nothing, the arc was known."""
        return self.find_slot(bar)


def plan_arc(
    arc: Arc, ask: Ask, *, beats_per_bar: int, has_form: bool = False, tempo_rise: float | None = None
) -> ArcPlan:
    """Plan a piece that ends where the arc does. With `has_form` the phrases are left to a named form.

    `tempo_rise`: what is asked for rises by so many BPM a minute at most; hit points may ask for more.
    """
    assert arc.end is not None
    limit = TempoLimit(tempo_rise)
    if arc.in_bars:
        tempo = _plan_bars(arc, ask, beats_per_bar, limit)
        hit_beats = tuple(round(2.0 * beats_per_bar * hit.place) / 2.0 for hit in arc.hits)
        arc = arc.move_places(
            lambda bar: tempo.tempo_map.seconds_at(round(2.0 * beats_per_bar * bar) / 2.0),
            tempo.tempo_map.seconds_at(arc.end * beats_per_bar),
        )
    else:
        tempo, hit_beats = _plan_seconds(arc, ask, beats_per_bar, limit)
    assert arc.end is not None
    end_seconds = tempo.tempo_map.seconds_at(float(tempo.bars * beats_per_bar)) if arc.is_struck_at_its_end else arc.end
    anchors = {beat: hit.place for hit, beat in zip(arc.hits, hit_beats, strict=True)}
    turns = set[float]()
    for place in arc.list_steps():
        beat = _find_turn(place, anchors, tempo)
        if beat is not None:
            anchors[beat] = place
            turns.add(beat)
    slots = None if has_form else _plan_phrases(arc, ask, tempo, anchors, hit_beats, turns)
    closing, closing_beat = _choose_closing(arc, ask), float((tempo.bars - 1) * beats_per_bar)
    if any(closing_beat - closing.break_beats <= beat < closing_beat for beat in hit_beats):
        closing = replace(closing, break_beats=0.0)  # what breaks off there would miss the hit point
    ordered = tuple(sorted(anchors.items()))
    return ArcPlan(arc, tempo, hit_beats, tuple(sorted(turns)), ordered, slots, closing, end_seconds)


def _choose_closing(arc: Arc, ask: Ask) -> Closing:
    """Choose how the last chord is struck; one that is struck on a hit point is held."""
    assert arc.end is not None
    closing = find_groove(ask(arc, arc.end).groove).closing
    return replace(closing, stroke_beats=None) if arc.is_struck_at_its_end else closing


def _plan_seconds(arc: Arc, ask: Ask, beats_per_bar: int, limit: TempoLimit) -> tuple[TempoPlan, tuple[float, ...]]:
    """Plan the tempo of an arc in seconds; return it with the beats of its hit points."""
    assert arc.end is not None
    moments = [hit.place for hit in arc.hits]
    before = [0.0] if moments[:1] == [0.0] else []
    last, stroke = ask(arc, arc.end), _choose_closing(arc, ask).stroke_beats
    closing_beats = float(beats_per_bar) if stroke is None else min(stroke, float(beats_per_bar))
    after = list[float]()
    if arc.is_struck_at_its_end:
        moments, closing_beats = moments[:-1], 0.0
    from kelly_live.music.tempo_plan import plan_tempo  # numpy: not before a session asks how much memory there is

    tempo = plan_tempo(
        lambda second: limit.limit(second, ask(arc, second).tempo.suggested),
        moments[len(before) :],
        arc.end,
        beats_per_bar=beats_per_bar,
        closing_beats=closing_beats,
        share=lambda closing_beat, beat: compute_tempo_share(last, beat, closing_beat=closing_beat),
    )
    if tempo.largest_step > _LARGEST_STEP:
        raise ConfigError(_describe_crowd(arc))
    if arc.is_struck_at_its_end:
        after = [float((tempo.bars - 1) * beats_per_bar)]
    return tempo, (*before, *tempo.moment_beats, *after)


def _describe_crowd(arc: Arc) -> str:
    """Describe which hit points no tempo can meet: the two that are nearest, or the one beside the start or the end."""
    assert arc.end is not None
    moments = [("the start", 0.0), *((repr(hit.name), hit.place) for hit in arc.hits), ("the end", arc.end)]
    gaps = [(after - before, one, other) for (one, before), (other, after) in pairwise(moments) if after > before]
    seconds, one, other = min(gaps)
    return f"no tempo can meet hit points so close: {one} and {other} are {seconds:.2f} s apart; leave one out"


def _plan_bars(arc: Arc, ask: Ask, beats_per_bar: int, limit: TempoLimit) -> TempoPlan:
    """Plan the tempo of an arc in bars, which falls on every place as it is."""
    assert arc.end is not None
    last, closing = ask(arc, arc.end), (arc.end - 1.0) * beats_per_bar
    asked, second = list[float](), 0.0
    for beat in range(round(arc.end) * beats_per_bar):
        bpm = limit.limit(second, ask(arc, beat / beats_per_bar).tempo.suggested)
        asked.append(bpm * compute_tempo_share(last, beat, closing_beat=closing))
        second += 60.0 / asked[-1]
    from kelly_live.music.tempo_plan import smooth_tempo

    return smooth_tempo(asked, beats_per_bar)


def _find_turn(place: float, anchors: Mapping[float, float], tempo: TempoPlan) -> float | None:
    """Find the beat where a sudden change is played: that of its hit point, else the nearest bar line.

    None where there is no beat for it between the hit points and changes beside it.
    """
    for beat, anchored in anchors.items():
        if anchored == place:
            return beat
    low = max((beat for beat, anchored in anchors.items() if anchored < place), default=0.0)
    high = min((beat for beat, anchored in anchors.items() if anchored > place), default=float(len(tempo.bpms)))
    exact = tempo.tempo_map.beat_at(place)
    lines = [float(beat) for beat in range(0, len(tempo.bpms), tempo.beats_per_bar) if low < beat < high]
    beats = [float(beat) for beat in range(len(tempo.bpms)) if low < beat < high]
    return min(lines or beats, key=lambda beat: abs(beat - exact), default=None)


def _plan_phrases(
    arc: Arc,
    ask: Ask,
    tempo: TempoPlan,
    places: Mapping[float, float],
    hit_beats: Sequence[float],
    turns: Collection[float],
) -> tuple[Slot, ...]:
    """Plan the phrases up to the closing bar: each section begins on a hit point's or a turn's bar line."""
    per_bar, closing = tempo.beats_per_bar, tempo.bars - 1
    names = {int(beat // per_bar): hit for hit, beat in zip(arc.hits, hit_beats, strict=True) if beat % per_bar == 0}
    turned = {int(beat // per_bar) for beat in turns if beat % per_bar == 0}
    starts = _choose_starts(set(names), turned, closing)
    roles = list[tuple[PhraseRole, int, int]]()
    section = "opening"
    for start, end in pairwise([*starts, closing]):
        section = names[start].name if start in names else section if start == 0 else f"bar {start + 1}"
        arrival = _find_arrival(arc, ask, places.get(float(start * per_bar))) if start in {*names, *turned} else 0
        is_led_to = end in names
        lengths = _split_bars(end - start)
        for number, bars in enumerate(lengths):
            role = find_arc_role(len(roles))._replace(
                section=section, starts=number == 0, pauses=False, breaks=False,
                arrival=arrival * (number == 0), opens_home=number == 0,
                energy=_choose_energy(number, len(lengths), arrival, is_led_to=is_led_to),
            )  # fmt: skip
            if number == len(lengths) - 1 and is_led_to:
                role = role._replace(closed=False)
            roles.append((role, start + sum(lengths[:number]), bars))
    slots = list[Slot]()
    for index, (role, start_bar, bars) in enumerate(roles):
        preceding = roles[index - 1][0] if index else None
        is_last = index == len(roles) - 1
        following = find_arc_role(index + 1) if is_last else roles[index + 1][0]
        slots.append(Slot(index, role, preceding, following, start_bar, bars, leads_home=is_last))
    return tuple(slots)


def _choose_starts(hits: Collection[int], turns: Collection[int], closing: int) -> list[int]:
    """Choose the bars where sections begin, _SHORTEST_PHRASE or more apart; hit points come before turns."""
    starts = [0]
    for bar in (*sorted(hits), *sorted(set(turns) - set(hits))):
        if all(abs(bar - other) >= _SHORTEST_PHRASE for other in (*starts, closing)):
            starts.append(bar)
    return sorted(starts)


def _split_bars(bars: int) -> list[int]:
    """Split a section into phrases of four bars, the last of three to six."""
    if bars <= _LONGEST_PHRASE:
        return [bars]
    rest = bars % BARS_PER_PHRASE
    whole = bars // BARS_PER_PHRASE
    if rest == BARS_PER_PHRASE - 1:
        return [BARS_PER_PHRASE] * whole + [rest]
    return [BARS_PER_PHRASE] * (whole - 1) + [BARS_PER_PHRASE + rest]


def _find_arrival(arc: Arc, ask: Ask, place: float | None) -> int:
    """Return 1 where the music arrives at a place, -1 where it falls there."""
    if place is None:
        return 0
    before, after = compute_intensity(ask(arc, max(0.0, place - 1e-6))), compute_intensity(ask(arc, place))
    return -1 if after - before <= -_FALL else 1


def _choose_energy(number: int, count: int, arrival: int, *, is_led_to: bool) -> float:
    """Choose how high a phrase of a section stands: high where it arrives, then rising to the next one."""
    if number == 0 and arrival > 0:
        return _CLIMAX
    if number == 0 and arrival < 0:
        return _LULL
    goal = _RISE if is_led_to else 0.0
    return goal if count == 1 else _RELEASE + (goal - _RELEASE) * number / (count - 1)
