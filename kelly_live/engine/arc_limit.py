"""An arc as the limit of the arousal leaves it, before its tempo is planned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from kelly_live.engine.arousal_limit import ArousalLimit, hold_arousal
from kelly_live.music.arc import LINEAR, STEP, Arc, ArcPoint

_GRID_SECONDS, _GRID_BARS = 0.5, 0.25


def limit_arc(arc: Arc, per_minute: float, seconds_at: Callable[[float], float]) -> Arc:
    """Return the arc with an arousal that rises by `per_minute` at most, from neutral at its start.

    `seconds_at` says when each of its places is played. What is not held back stays as it was written.
    """
    assert arc.end is not None
    limit, points = ArousalLimit(per_minute), list[ArcPoint]()
    grid = _GRID_BARS if arc.in_bars else _GRID_SECONDS
    first = arc.points[0]
    written = arc.points if first.place == 0.0 else (replace(first, place=0.0, interpolation=STEP), *arc.points)
    for point, after in pairwise((*written, ArcPoint(max(arc.end, written[-1].place), written[-1].state))):
        count = max(1, math.ceil((after.place - point.place) / grid))
        places = [point.place + number * (after.place - point.place) / count for number in range(count)]
        asked = [arc.state_at(place) for place in places]
        played = []
        for place, state in zip(places, asked, strict=True):
            now = seconds_at(place)
            played.append(hold_arousal(state, limit.find_most(now)))
            limit.add(now, state.arousal)
        if played == asked:
            points.append(point)
            continue
        points += [ArcPoint(place, state, LINEAR) for place, state in zip(places, played, strict=True)]
        if point.interpolation == STEP:
            points[-1] = replace(points[-1], interpolation=STEP)
    return replace(arc, points=tuple(points))
