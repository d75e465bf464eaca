"""Send emotion and music as OSC, one bundle for each new emotion state; ADDRESSES lists the addresses.

UDP: no receiver has to listen. The socket is connected, so that the system tells when nobody does.
"""

from __future__ import annotations

import socket

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from kelly_live.control.osc_address import OscAddress
from kelly_live.core.control_surface import ControlView
from kelly_live.core.values import EMOTIONS, GEMS, EmotionState

ADDRESSES: dict[str, str] = {
    "/kelly/valence": "float, -1 to 1",
    "/kelly/arousal": "float, -1 to 1",
    "/kelly/dominance": "float, -1 to 1",
    "/kelly/confidence": "float, 0 to 1",
    "/kelly/emotion": "string, the likeliest",
    "/kelly/word": "string, with --words; empty near the middle",
    **{f"/kelly/emotion/{name}": "float, 0 to 1" for name in EMOTIONS},
    **{f"/kelly/gems/{name}": "float, 0 to 1, where the models read it" for name in GEMS},
    "/kelly/tempo": "float, beats a minute",
    "/kelly/bar": "int, from 1",
    "/kelly/key": "string, the tonic",
    "/kelly/mode": "string",
    "/kelly/chord": "string",
}

_QUIET_SENDS = 3  # without an error, before a receiver is believed to be there


def encode_bundle(view: ControlView) -> bytes:
    """Encode a view as one bundle to be obeyed at once, with a message for each address of ADDRESSES.

    There is a word only where words were asked for, and of GEMS only what the models read.
    """
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
    if view.word is not None:
        values["/kelly/word"] = view.word
    values |= {f"/kelly/gems/{name}": share for name, share in view.gems}
    values |= {f"/kelly/emotion/{name}": share for name, share in zip(EMOTIONS, state.probabilities, strict=True)}
    bundle = OscBundleBuilder(IMMEDIATELY)
    for address, value in values.items():
        message = OscMessageBuilder(address)
        message.add_arg(value)
        bundle.add_content(message.build())
    return bytes(bundle.build().dgram)


class OscOutput:
    """Sends views to a UDP address, without ever waiting. Thread: one for all calls.

    `problem` says in a line that nobody listens there, or why nothing can be sent, for as long as that lasts.
    """

    def __init__(self, address: OscAddress) -> None:
        self.address = address
        self.sent_bundles = 0  # bundles
        self.problem: str | None = None
        self._state: EmotionState | None = None  # the one that was sent last, and its word
        self._word: str | None = None
        self._socket: socket.socket | None = None
        self._quiet_sends = 0  # since an error
        self._is_closed = False

    def publish(self, view: ControlView) -> None:
        """Send a view whose emotion state, or whose word, is not the one that was sent last."""
        if (view.state is self._state and view.word == self._word) or self._is_closed:
            return
        self._state, self._word = view.state, view.word
        packet = encode_bundle(view)
        try:
            self._send(packet)
        except ConnectionError:  # about the packet before: the port answered that it is closed
            self.problem = f"nobody listens at {self.address} (--osc); start the receiver, or check its port"
            self._quiet_sends = -1
            try:
                self._send(packet)
            except OSError as error:
                self._fail(error)
        except BlockingIOError:  # a full buffer: the next one may fit
            return
        except OSError as error:
            self._fail(error)

    def _send(self, packet: bytes) -> None:
        if self._socket is None:
            self._socket = socket.socket(self.address.family, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._socket.connect((self.address.host, self.address.port))
        self._socket.send(packet)
        self.sent_bundles += 1
        self._quiet_sends += 1
        if self._quiet_sends >= _QUIET_SENDS:
            self.problem = None

    def _fail(self, error: OSError) -> None:
        """Note why nothing is sent; the next view goes through a new socket, as the network may have changed."""
        if isinstance(error, ConnectionError):
            return
        self.problem = f"OSC cannot be sent to {self.address} ({error.strerror}); check the network and --osc"
        self._quiet_sends = 0
        self._close_socket()

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """Close the socket. Safe to call twice."""
        self._is_closed = True
        self._close_socket()
