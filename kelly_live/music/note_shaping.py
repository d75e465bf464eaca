"""The shaping of what the band plays in a slice.

Rests, the ending and hit points, and last the timing feel. Thread: the conductor's.
"""

from __future__ import annotations

from collections.abc import Sequence

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.music.arc_plan import ArcPlan
from kelly_live.music.band import Band
from kelly_live.music.context import MusicContext
from kelly_live.music.drumming import load_drumming
from kelly_live.music.ending import Ending
from kelly_live.music.groove import find_groove
from kelly_live.music.hit_points import hold_to_end, shape_hits
from kelly_live.music.note_placement import place_with_feel
from kelly_live.music.player_rest import RestResponder


class NoteShaper:
    """The shaping of a band's notes, slice by slice.

    A `plan` has the hit points; `rest` tells how a resting band ends.
    """

    def __init__(self, band: Band, rest: RestResponder, plan: ArcPlan | None, seed: int) -> None:
        self._band = band
        self._rest = rest
        self._plan = plan
        self._seed = seed
        self._hits = () if plan is None else plan.hit_beats
        self._drummers = load_drumming()

    def shape(
        self,
        notes: Sequence[NoteEvent],
        parameters: MusicParameters,
        context: MusicContext,
        bar: int,
        ending: Ending | None,
        *,
        is_closing: bool,
    ) -> Sequence[NoteEvent]:
        """Return the notes of a bar as a rest, the ending and hit points have them.

        They come where players would put them.
        """
        plan, hits, per_bar = self._plan, self._hits, context.beats_per_bar
        shaped = self._rest.soften_notes(notes, self._band.get_role)
        if self._rest.bars_to_last is not None:
            ending = Ending(bar + self._rest.bars_to_last)
        if ending is not None:
            closing = find_groove(parameters.groove).closing if plan is None else plan.closing
            shaped = ending.shape_notes(shaped, closing, per_bar)
        shaped = shape_hits(shaped, hits, per_bar) if hits else shaped
        if is_closing and plan is not None and plan.closing.stroke_beats is None:
            shaped = hold_to_end(shaped, hits, float((bar + 1) * per_bar), per_bar)
        return place_with_feel(
            shaped, self._drummers, parameters, seed=self._seed, get_role=self._band.get_role,
            beats_per_bar=per_bar, bpm=context.bpm, exact_beats=hits,
        )  # fmt: skip
