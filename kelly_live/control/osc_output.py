"""What is felt and played, as one OSC bundle a reading; addresses are listed in ADDRESSES.

UDP: nobody has to listen, and a receiver that is gone is no error.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from kelly_live.control.osc_address import Place
from kelly_live.core.values import EMOTIONS, EmotionState

LOOK_SECONDS = 0.02  # how often it looks for something new; a reading comes every 250 ms

ADDRESSES: dict[str, str] = {
    "/kelly/valence": "float, -1 to 1",
    "/kelly/arousal": "float, -1 to 1",
    "/kelly/dominance": "float, -1 to 1",
    "/kelly/confidence": "float, 0 to 1",
    "/kelly/emotion": "string, the likeliest",
    **{f"/kelly/emotion/{name}": "float, 0 to 1" for name in EMOTIONS},
    "/kelly/tempo": "float, beats a minute",
    "/kelly/bar": "int, from 1",
    "/kelly/key": "string, the tonic",
    "/kelly/mode": "string",
    "/kelly/chord": "string",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """What is told: the feeling, and where the music is (`bar` from 1)."""

    state: EmotionState
    bpm: float
    bar: int
    tonic: str
    mode: str
    chord: str


def bundle_of(scene: Scene) -> bytes:
    """One bundle, to be obeyed at once, with a message an address of ADDRESSES."""
    state = scene.state
    values: dict[str, float | int | str] = {
        "/kelly/valence": state.valence,
        "/kelly/arousal": state.arousal,
        "/kelly/dominance": state.dominance,
        "/kelly/confidence": state.confidence,
        "/kelly/emotion": state.emotion,
        "/kelly/tempo": scene.bpm,
        "/kelly/bar": scene.bar,
        "/kelly/key": scene.tonic,
        "/kelly/mode": scene.mode,
        "/kelly/chord": scene.chord,
    }
    values |= {f"/kelly/emotion/{name}": chance for name, chance in zip(EMOTIONS, state.probabilities, strict=True)}
    bundle = OscBundleBuilder(IMMEDIATELY)
    for address, value in values.items():
        message = OscMessageBuilder(address)
        message.add_arg(value)
        bundle.add_content(message.build())
    return bytes(bundle.build().dgram)


class OscOut:
    """Tells `place` of every new scene, from a thread of its own that nobody waits for. `scene` is asked every
    LOOK_SECONDS (from that thread) and is new when its reading is.
    """

    def __init__(self, place: Place, scene: Callable[[], Scene]) -> None:
        self.sent = 0
        self._place = place
        self._scene = scene
        self._socket = socket.socket(place.family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="osc-out", daemon=True)

    def start(self) -> OscOut:
        self._thread.start()
        return self

    def close(self) -> None:
        """Safe to call twice, and without a start."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(1.0)
        self._socket.close()

    def _run(self) -> None:
        told: EmotionState | None = None
        while not self._closing.wait(LOOK_SECONDS):
            scene = self._scene()
            if scene.state is told:
                continue
            told = scene.state
            with contextlib.suppress(OSError):  # nobody there, no network, a full buffer: the next one may arrive
                self._socket.sendto(bundle_of(scene), (self._place.host, self._place.port))
                self.sent += 1
