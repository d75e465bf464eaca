"""A generator in a process of its own that keeps to no rule.

`lab bench --only limits` lets it play against the limits. It speaks the protocol of docs/generator-protocol.md by hand,
so that nothing of ours checks it at its end, and runs in any Python by itself: `python -I hostile_plugin.py NAME`. The
protocol has no message for controllers, aftertouch or system exclusive, nor for a tempo; it sends what looks like them
all the same.
"""

import json
import random
import sys
from typing import Any

Notes = list[dict[str, Any]]

LOUD, SUDDEN, WILD = NAMES = ("hostile-loud", "hostile-sudden", "hostile-wild")
_WILD_SHARE = 0.1  # of the answers; after three in a row a player is given up until the next start
_NO_NUMBERS: tuple[Any, ...] = (float("nan"), float("inf"), -1e308, "NaN", None, [], {"beat": 1})
_NO_MESSAGES = (
    b"\xf0\x7f\x7f\x04\x01\x7f\x7f\xf7\n",  # system exclusive: master volume
    b'{"type": "controllers", "id": 0, "changes": [[1, 7, 127], [1, 11, 127]]}\n',
    b'{"type": "tempo", "id": 0, "bpm": NaN}\n',
    b"[" * 100_000 + b"\n",
)


def play_bar(name: str, start: float, end: float, rng: random.Random) -> Notes:
    """Return the notes of a span: loud ones in stacks and rolls, or soft ones and a blow among them."""
    notes: Notes = []
    for _ in range(rng.choice((0, 1, 4, 24))):
        beat = start + (end - start) * rng.choice((0.0, rng.random() * 0.999))
        velocity = rng.choice((100, 127)) if name != SUDDEN else rng.choice((1, 8, 20, 127))
        pitch, length = rng.randrange(128), rng.choice((0.01, 0.1, 0.5, 1.0) * 12 + (4.0, 64.0))
        notes += [
            {"onset_beats": beat, "duration_beats": length, "pitch": (pitch + 7 * voice) % 128, "velocity": velocity}
            for voice in range(rng.choice((1, 1, 3, 12)))
        ]
    return sorted(notes, key=lambda note: note["onset_beats"])


def break_rules(notes: Notes, start: float, end: float, rng: random.Random) -> Notes:
    """Return notes with values that no note has, past the bar, without end, or far too many."""
    field = rng.choice(("onset_beats", "duration_beats", "pitch", "velocity", "cents"))
    bad: dict[str, Any] = {
        "onset_beats": start,
        "duration_beats": 1.0,
        "pitch": 60,
        "velocity": 127,
        "channel": 99,
        "pressure": 127,
    }
    kind = rng.randrange(5)
    if kind == 0:
        return [{**bad, field: rng.choice(_NO_NUMBERS)}, *notes]
    if kind == 1:
        return [*notes, {**bad, "onset_beats": end + rng.choice((0.0, 1.0, 1e9))}]
    if kind == 2:
        return [{**bad, "velocity": rng.choice((128, 300, -1, 1e30, 127.5))}, *notes]
    if kind == 3:
        return [{**bad, "duration_beats": 1e12}, *notes]
    return [bad] * 5000


def main(name: str) -> None:
    """Answer requests until there are none."""
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        request = json.loads(line)
        number, kind = request["id"], request["type"]
        if kind == "hello":
            reply = {"type": "hello", "protocol": 1, "language": "hostile"}
        elif kind == "describe":
            channel = 11 + NAMES.index(name)
            reply = {"type": "descriptor", "name": name, "part": name, "channel": channel, "program": 61}
        elif kind == "generate":
            start, end = request["start_beat"], request["end_beat"]
            rng = random.Random(f"{name} {start} {request['music']['bpm']}")
            notes = play_bar(name, start, end, rng)
            if name == WILD and rng.random() < _WILD_SHARE:
                notes = break_rules(notes, start, end, rng)
                if rng.random() < 0.1:
                    out.write(rng.choice(_NO_MESSAGES))
            extra = {"controllers": [[1, 7, 127], [1, 11, 127]], "bpm": 1e9, "sysex": "f07f7f04017f7ff7"}
            reply = {"type": "notes", "notes": notes, "state": None, **extra}
        else:
            reply = {"type": "done"}
        out.write(json.dumps({**reply, "id": number}).encode() + b"\n")
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1])
