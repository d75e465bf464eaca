"""What a fuzzer may feed: every parser of ours that strangers' bytes reach. Each may raise KellyError, nothing else."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kelly_live.core.errors import KellyError
from kelly_live.core.resources import find_resources

LONGEST_ERROR = 1000  # characters: an error is a line that somebody reads


@dataclass(frozen=True)
class Target:
    """A parser, and files that it accepts, to begin from."""

    parse: Callable[[bytes], object]
    seeds: Callable[[], Iterator[bytes]]

    def feed(self, data: bytes) -> bool:
        """Whether it was accepted. What is raised, KellyError apart, is a finding; so is an error that is no line."""
        try:
            self.parse(data)
        except KellyError as error:
            message = str(error)
            assert "\n" not in message, f"an error of several lines: {message!r}"
            assert len(message) < LONGEST_ERROR, f"an error of {len(message)} characters: {message[:200]!r}"
            return False
        return True


def _file(data: bytes) -> Path:
    """The bytes as a file, the same one each time."""
    path = Path(tempfile.gettempdir()) / f"kelly-fuzz-{os.getpid()}"
    path.write_bytes(data)
    return path


def _culture(data: bytes) -> object:
    from kelly_live.core.safe_yaml import parse_nodes
    from kelly_live.cultures.preset import parse_preset

    return parse_preset(parse_nodes(data, "stranger.yaml"), "stranger")


def _cultures() -> Iterator[bytes]:
    for path in sorted((find_resources("presets") / "cultures").glob("*.yaml")):
        data = path.read_bytes()
        if len(data) < 5000:
            yield data.replace(b"name: " + path.stem.encode(), b"name: stranger")


def _host(data: bytes) -> object:
    from kelly_live.generators.host_preset import read_preset

    return read_preset(_file(data))


def _hosts() -> Iterator[bytes]:
    for path in sorted((find_resources("presets") / "hosts").glob("*.yaml")):
        yield path.read_bytes()


def _profile(data: bytes) -> object:
    from kelly_live.profiles.profile import from_yaml

    return from_yaml(data, "stranger.yaml")


def _profiles() -> Iterator[bytes]:
    from dataclasses import replace

    from kelly_live.profiles.profile import new_profile, to_yaml
    from tests.profiles.sample import NOW, make_preference, make_reaction

    fresh = new_profile("stranger", NOW, "klezmer", 0.5)
    yield to_yaml(fresh)
    yield to_yaml(
        replace(
            fresh,
            reactions=(make_reaction("like"), make_preference("tempo", 60.0)),
            embedding=(0.5, -0.25) * 2 + (0.0,) * 60,
            mapper="0123456789abcdef",
        )
    )


def _manifest(data: bytes) -> object:
    from kelly_live.lab.corpora.manifest import read_manifest

    return read_manifest(_file(data))


def _manifests() -> Iterator[bytes]:
    yield (
        b'{"audio_path": "a.wav", "emotions": [1, 0, 0, 0, 0, 0, 0, 0], "valence": 0.5, "arousal": -0.25, '
        b'"dominance": null, "culture": "c", "is_genuine": true, "duration": 2.5, "split": "train"}\n'
    )
    yield b'{"audio_path": "a.wav", "speaker": "s", "dataset": "d", "licence": "CC0", "region": "r", "language": "l"}\n'


def _wire(data: bytes) -> object:
    from kelly_live.core.commands import SinkCommand
    from kelly_live.workers.framing import FrameDecoder

    return FrameDecoder[SinkCommand](SinkCommand).feed(data)


def _frames() -> Iterator[bytes]:
    from kelly_live.core.commands import Controls, Notes, Start, Stop, TempoChange, Tuning
    from kelly_live.core.timebase import TempoPoint
    from kelly_live.core.values import ControlChange, NoteEvent
    from kelly_live.workers.framing import encode_frame

    yield encode_frame(Start(1.0, 120.0)) + encode_frame(TempoChange(TempoPoint(4.0, 90.0))) + encode_frame(Stop())
    yield encode_frame(Tuning("mpe")) + encode_frame(Controls((ControlChange(1, 20, 64),)))
    yield encode_frame(Notes((NoteEvent(0.0, 1.0, 60, 64, 1, "melody", 14.0),)))


def _log(data: bytes) -> object:
    from kelly_live.engine.replay import load_recorded_players
    from kelly_live.recording.log import LogReader
    from kelly_live.recording.replay import replay

    return replay(LogReader(_file(data)), load_recorded_players)


def _logs() -> Iterator[bytes]:
    from kelly_live.core.values import BeatEstimate, KeyEstimate, SyncState, Transport
    from kelly_live.recording.log import (
        FinishRecord,
        Header,
        PanicRecord,
        Part,
        StartRecord,
        Step,
        StepEncoder,
        StopRecord,
        encode_header,
        encode_record,
    )
    from tests.fakes import parameters

    sync = SyncState(
        BeatEstimate(11.0, 90.0, 0.9, 8), KeyEstimate(2, "dorian", 0.9), Transport(playing=True, start_count=1)
    )
    start, encoder = parameters(100.0), StepEncoder()
    encoder.begin(start)
    steps = [Step(parameters(100.0, density=i / 4.0), sync if i > 4 else SyncState()) for i in range(8)]
    records = [
        StartRecord(time=10.0, origin_seconds=10.3, parameters=start),
        *(encoder.encode(10.0 + 0.2 * i, step) for i, step in enumerate(steps)),
        PanicRecord(time=11.5),
        FinishRecord(time=11.6),
        StopRecord(time=14.0),
    ]
    parts = tuple(Part(name, channel, 0) for channel, name in enumerate(("bass", "chords", "melody"), start=1))
    yield encode_header(Header("1", "now", 3, 0, "band", parts)) + b"".join(map(encode_record, records))


def _controls(data: bytes) -> object:
    from kelly_live.control.midi_map import load_bindings as load

    return load(_file(data))


def _learned() -> Iterator[bytes]:
    yield b"format: 1\ncontrols:\n  - {kind: cc, number: 20, channel: 3, action: valence}\n"
    yield b"format: 1\ncontrols:\n- kind: note\n  number: 36\n  action: emotion\n  value: sad\n"


def _osc(data: bytes) -> object:
    from kelly_live.control.osc_packet import read_packet
    from kelly_live.core.errors import ConfigError

    try:
        return read_packet(data)
    except ValueError as error:  # which is its way to refuse: packets are counted, not told of
        raise ConfigError("no packet") from error


def _packets() -> Iterator[bytes]:
    from pythonosc.osc_bundle_builder import OscBundleBuilder
    from pythonosc.osc_message_builder import OscMessageBuilder

    bundle = OscBundleBuilder(0)
    for address, value in (("/kelly/do/valence", 0.5), ("/kelly/do/emotion", "sad"), ("/kelly/do/freeze", True)):
        builder = OscMessageBuilder(address)
        builder.add_arg(value)
        bundle.add_content(builder.build())
        yield bytes(builder.build().dgram)
    yield bytes(bundle.build().dgram)


def _midi_in(data: bytes) -> object:
    """Four bytes a message: after how many milliseconds, and what."""
    from kelly_live.core.timebase import ManualClock
    from kelly_live.midi.input_queue import ScriptedInput
    from kelly_live.sync.midi_clock import MidiClockSource

    seconds, script = 0.0, []
    for at in range(0, len(data) - 3, 4):
        seconds += data[at] / 1000.0
        script.append((seconds, data[at + 1 : at + 4].rstrip(b"\xff")))
    clock = ManualClock()
    follower = MidiClockSource(ScriptedInput(script, clock))
    leads = []
    while clock.now() <= seconds:
        leads.append(follower.estimate(clock.now()))
        clock.advance(0.05)
    return leads


def _takes() -> Iterator[bytes]:
    tick, start, stop = b"\x14\xf8\xff\xff", b"\x00\xfa\xff\xff", b"\x00\xfc\xff\xff"
    yield start + 30 * tick + stop + b"\x00\xf2\x08\x00" + b"\x00\xfb\xff\xff" + 10 * tick


TARGETS = {
    "osc": Target(_osc, _packets),
    "midi-in": Target(_midi_in, _takes),
    "culture": Target(_culture, _cultures),
    "host": Target(_host, _hosts),
    "profile": Target(_profile, _profiles),
    "manifest": Target(_manifest, _manifests),
    "wire": Target(_wire, _frames),
    "log": Target(_log, _logs),
    "controls": Target(_controls, _learned),
}
