"""Audio inputs and the output: the list, which one a name means, and PortAudio's error codes in plain words.

PortAudio is loaded on first use, so that everything that needs no device runs where the library is not installed.
Its list of devices is the one of that moment: a device plugged in later is found by a new process.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from kelly_live.core import name_matching as matching
from kelly_live.core.errors import AudioError
from kelly_live.core.stderr_guard import guard_stderr

LISTING = "kelly-live devices"
WITHOUT_A_DEVICE = "or use `kelly-live demo` or `kelly-live render IN.wav`, which need none"
WITHOUT_AN_OUTPUT = "or play into a MIDI port (--midi-out NAME)"

# PortAudio's PaErrorCode: (cause, remedy).
_MEANINGS: dict[int, tuple[str, str]] = {
    -10000: ("PortAudio is not initialised", "start kelly-live again"),
    -9999: ("the system's audio driver failed", "plug the device in again, or restart the sound server"),
    -9998: ("it does not have that many channels", f"pick another one from `{LISTING}`"),
    -9997: ("it does not offer a usable sample rate", "set it to 44100 or 48000 Hz in the system's settings"),
    -9996: ("there is no such device any more", f"plug it in again, or pick one from `{LISTING}`"),
    -9994: ("it does not offer a usable sample format", f"pick another one from `{LISTING}`"),
    -9992: ("the system is out of memory", "close other programs"),
    -9987: ("it did not answer in time", "plug it in again, or restart the sound server"),
    -9986: ("PortAudio failed inside", "start kelly-live again"),
    -9985: (
        "another program holds it, or this one may not use it",
        "close the other program, or allow microphone access in the system's settings",
    ),
}


@dataclass(frozen=True, slots=True)
class AudioDevice:
    """An audio input or output as PortAudio lists it, with its channels of that kind; `default_rate` in Hz."""

    index: int
    name: str
    host_api: str
    channels: int
    default_rate: int
    is_default: bool

    @property
    def label(self) -> str:
        """The name by which a user picks it, with its host API: a device can be listed under several."""
        return f"{self.name}, {self.host_api}"


def portaudio() -> ModuleType:
    """Load and initialise the sounddevice module, without its output on stderr.

    Raises:
        AudioError: PortAudio is not installed or does not start.
    """
    os.environ.setdefault("JACK_NO_START_SERVER", "1")  # looking for devices must not start a sound server
    try:
        with guard_stderr():
            import sounddevice
    except OSError as error:
        raise AudioError(
            "the PortAudio library is not installed, and live input needs it: install it, e.g. "
            f"`sudo apt install libportaudio2`, {WITHOUT_A_DEVICE}"
        ) from error
    except Exception as error:  # sounddevice's PortAudioError, which can't be named when its import fails
        raise AudioError(
            f"PortAudio did not start ({_first_line(error)}); live input needs it: restart the sound server, "
            f"{WITHOUT_A_DEVICE}"
        ) from error
    module: ModuleType = sounddevice
    return module


def device_error(name: str, error: Exception, *, kind: str = "input") -> AudioError:
    """Turn a PortAudioError (message, code, …) into a line for the user; the one place that does.

    `kind`: "input" or "output".
    """
    code = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], int) else None
    cause, remedy = _MEANINGS.get(code or 0, (_first_line(error), f"pick another one from `{LISTING}`"))
    otherwise = WITHOUT_A_DEVICE if kind == "input" else WITHOUT_AN_OUTPUT
    return AudioError(f"the audio {kind} {name!r} cannot be used: {cause}; {remedy}, {otherwise}")


def forget_portaudio() -> None:
    """Leave PortAudio as it is at exit.

    When the sound server died, its own clean-up would hang or abort the process; the system frees everything anyway.
    """
    handler = getattr(portaudio(), "_exit_handler", None)
    if handler is not None:
        atexit.unregister(handler)


def list_inputs() -> list[AudioDevice]:
    """Return all audio inputs; none is no error.

    Raises:
        AudioError: PortAudio is not installed or fails.
    """
    return _list_devices("input")


def list_outputs() -> list[AudioDevice]:
    """Return all audio outputs; none is no error. Raises AudioError as `list_inputs`."""
    return _list_devices("output")


def check_output() -> None:
    """Ask the system's audio output whether it would be opened now. Raises AudioError."""
    device, module = choose_output(), portaudio()
    try:
        with guard_stderr():
            module.check_output_settings(device.index, min(2, device.channels), "float32", None, device.default_rate)
    except module.PortAudioError as error:
        raise device_error(device.name, error, kind="output") from error


def choose_output() -> AudioDevice:
    """Return the system's audio output.

    Raises:
        AudioError: There is none, or PortAudio is not installed or fails.
    """
    outputs = list_outputs()
    if not outputs:
        raise AudioError(f"there is no audio output on this machine; plug one in, {WITHOUT_AN_OUTPUT}")
    return next((device for device in outputs if device.is_default), outputs[0])


def _list_devices(kind: str) -> list[AudioDevice]:
    """List the devices that have channels of this kind, "input" or "output"; the default one is marked."""
    module = portaudio()
    try:
        with guard_stderr():
            devices, apis = module.query_devices(), module.query_hostapis()
    except module.PortAudioError as error:
        raise device_error("(all)", error, kind=kind) from error
    usable = [device for device in devices if device[f"max_{kind}_channels"] > 0]
    indices = [device["index"] for device in usable]
    # The system's default may be missing though there are devices: then the first host API that has one decides.
    preferred_indices = [_default_index(module, kind), *(api[f"default_{kind}_device"] for api in apis), *indices]
    default = next((index for index in preferred_indices if index in indices), None)
    return [
        AudioDevice(
            index=device["index"],
            name=device["name"],
            host_api=apis[device["hostapi"]]["name"],
            channels=device[f"max_{kind}_channels"],
            default_rate=round(device["default_samplerate"]),
            is_default=device["index"] == default,
        )
        for device in usable
    ]


def resolve_input(query: str | None) -> AudioDevice:
    """Find the input that `query` means (see core.name_matching); None: the default one.

    Raises:
        AudioError: There is no input, or the name means none or several.
    """
    return choose_input(query, list_inputs())


def choose_input(query: str | None, inputs: Sequence[AudioDevice]) -> AudioDevice:
    """Choose as `resolve_input` does, from a list that is already there.

    Raises:
        AudioError: There is no input, or the name means none or several.
    """
    if not inputs:
        raise AudioError(f"there is no audio input on this machine; plug one in, {WITHOUT_A_DEVICE}")
    if query is None:
        return next((device for device in inputs if device.is_default), inputs[0])
    namesakes = [device for device in inputs if device.name.casefold() == query.casefold()]
    if len(namesakes) > 1:  # the same device under several host APIs: the default's API, if it is one of them
        default_api = next((device.host_api for device in inputs if device.is_default), None)
        namesakes = [device for device in namesakes if device.host_api == default_api]
    if len(namesakes) == 1:
        return namesakes[0]
    labels = [device.label for device in inputs]
    return inputs[matching.choose(query, labels, kind="audio input", error=AudioError, listing=LISTING)]


def _default_index(module: ModuleType, kind: str) -> int:
    try:
        return int(module.query_devices(kind=kind)["index"])
    except module.PortAudioError:
        return -1  # PortAudio's own "no device"


def _first_line(error: Exception) -> str:
    text = str(error.args[0]) if error.args else ""
    return text.splitlines()[0] if text else type(error).__name__
