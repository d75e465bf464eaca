"""Send emotion and music as OSC, one bundle for each new emotion state; ADDRESSES lists the addresses.

UDP: no receiver has to listen, and one that is gone is no error.
"""

from __future__ import annotations

import contextlib
import socket

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from kelly_live.control.osc_address import OscAddress
from kelly_live.core.control_surface import ControlView
from kelly_live.core.values import EMOTIONS, EmotionState

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


def encode_bundle(view: ControlView) -> bytes:
    """Encode a view as one bundle to be obeyed at once, with a message for each address of ADDRESSES."""
    state = view.state
    values: dict[str, float | int | str] = {
        "/kelly/valence": state.valence,
        "/kelly/arousal": state.arousal,
        "/kelly/dominance": state.dominance,
        "/kelly/confidence": state.confidence,
        "/kelly/emotion": state.emotion,
        "/kelly/tempo": view.bpm,
        "/kelly/bar": view.bar,
        "/kelly/key": view.tonic,
        "/kelly/mode": view.mode,
        "/kelly/chord": view.chord,
    }
    values |= {f"/kelly/emotion/{name}": share for name, share in zip(EMOTIONS, state.probabilities, strict=True)}
    bundle = OscBundleBuilder(IMMEDIATELY)
    for address, value in values.items():
        message = OscMessageBuilder(address)
        message.add_arg(value)
        bundle.add_content(message.build())
    return bytes(bundle.build().dgram)


class OscOutput:
    """Sends views to a UDP address, without ever waiting. Thread: one for all calls."""

    def __init__(self, address: OscAddress) -> None:
        self.address = address
        self.sent = 0  # bundles
        self._state: EmotionState | None = None  # the one that was sent last
        self._socket = socket.socket(address.family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def publish(self, view: ControlView) -> None:
        """Send a view whose emotion state is not the one that was sent last."""
        if view.state is self._state:
            return
        self._state = view.state
        # No receiver, no network or a full buffer: the next one may arrive.
        with contextlib.suppress(OSError):
            self._socket.sendto(encode_bundle(view), (self.address.host, self.address.port))
            self.sent += 1

    def close(self) -> None:
        """Close the socket. Safe to call twice."""
        self._socket.close()
