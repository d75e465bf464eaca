"""The fuzzing targets: every parser that strangers' bytes reach. Each may raise only KellyError."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from kelly_live.core.errors import KellyError
from kelly_live.core.resources import find_model_file, find_resources

LONGEST_ERROR = 1000  # characters: an error is a line that somebody reads


@dataclass(frozen=True)
class Target:
    """A parser, and files that it accepts, to begin from."""

    parse: Callable[[bytes], object]
    seeds: Callable[[], Iterator[bytes]]

    def feed(self, data: bytes) -> bool:
        """Return whether it was accepted. Any other exception, and an error of several lines, is a finding."""
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


def _config(data: bytes) -> object:
    from kelly_live.engine.options.config_file import load_config

    return load_config(_file(data))


def _configs() -> Iterator[bytes]:
    yield b'midi-out = "IAC Bus"\n[live]\nfollow = "all"\npreset = ["strings", "band"]\ncount-in = true\n'
    yield b"# nothing yet\n"
    yield b"\xef\xbb\xbftempo = 92.5\n[compose]\nbars = 8\n"


def _pieces(data: bytes) -> object:
    from kelly_live.engine.batch.pieces import read_pieces

    return list(read_pieces(_file(data), list, ("emotion", "bars", "expression"), ("expression",)))


def _piece_lists() -> Iterator[bytes]:
    yield b"name,emotion,bars,expression\nslow/one,sad,8,\n,happy,,no\n"
    yield b'\xef\xbb\xbfemotion\r\n"sad"\r\n'


def _results(data: bytes) -> object:
    from kelly_live.engine.batch.rows import read_rows

    return list(read_rows(_file(data)))


def _result_lists() -> Iterator[bytes]:
    yield b'{"id": "a1", "path": "a.wav", "valence": 0.5}\n{"id": "b2", "path": "b.wav", "error": "none"}\n'


def _host(data: bytes) -> object:
    from kelly_live.generators.host_preset import read_preset

    return read_preset(_file(data))


def _hosts() -> Iterator[bytes]:
    for path in sorted((find_resources("presets") / "hosts").glob("*.yaml")):
        yield path.read_bytes()


def _cues(data: bytes) -> object:
    from kelly_live.engine.cue_sheet import load_cue_sheet

    return load_cue_sheet(_file(data))


def _cue_sheets() -> Iterator[bytes]:
    yield b"""format: 1
cues:
  - {name: a, place: sad, key: D dorian, role: lead, at: 1:00}
  - {name: b, place: "0.5,-0.5", fade: 6 s, preset: film, culture: hindustani}
  - {name: c, path: [{place: fearful}, {place: happy, fade: 1 bar}], cut: yes}
  - {name: d, follow: yes}
"""


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


def _request(data: bytes) -> object:
    from kelly_live.workers.framing import FrameDecoder, decode_payload
    from kelly_live.workers.service import CreateRequest, Request

    requests: list[Request] = FrameDecoder[Request](Request).feed(data)
    schemas = {True: tuple[str, float, bool], False: tuple[np.ndarray, list[int]]}
    return [decode_payload(one.arguments, schemas[isinstance(one, CreateRequest)]) for one in requests]


def _requests() -> Iterator[bytes]:
    import msgspec

    from kelly_live.workers.framing import encode_frame, encode_payload
    from kelly_live.workers.service import CallRequest, CreateRequest

    window = msgspec.Raw(encode_payload((np.ones((2, 3), np.float32), [1, 2])))
    yield encode_frame(CreateRequest(1, "a.module:function", msgspec.Raw(encode_payload(("cpu", 0.5, True)))))
    yield encode_frame(CallRequest(2, "push", window, False)) + encode_frame(CallRequest(3, "learn", window, True))


def _log(data: bytes) -> object:
    """Every line is read, none is played: hundreds of times as many inputs as `replay` takes."""
    from kelly_live.recording.log import LogReader

    return list(LogReader(_file(data)).records())


def _replay(data: bytes) -> object:
    from kelly_live.engine.replay import load_recorded_players
    from kelly_live.recording.log import LogReader
    from kelly_live.recording.replay import replay

    return replay(LogReader(_file(data)), load_recorded_players)


def _logs() -> Iterator[bytes]:
    from kelly_live.core.sync_state import BeatEstimate, KeyEstimate, SyncState, Transport
    from kelly_live.recording.log import Step, StepEncoder, encode_header, encode_record
    from kelly_live.recording.records import FinishRecord, Header, PanicRecord, Part, StartRecord, StopRecord
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


def _generate_learned_maps() -> Iterator[bytes]:
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


def _audio(data: bytes) -> object:
    from kelly_live.audio.decode import read_blocks

    return sum(len(block) for block in read_blocks(_file(data)))


def _recordings() -> Iterator[bytes]:
    import io

    import soundfile

    tone = np.sin(np.arange(1600) / 8.0) / 2.0
    for kind, subtype in (
        ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None),
    ):  # fmt: skip
        file = io.BytesIO()
        soundfile.write(file, np.stack((tone, -tone), axis=1), 16_000, format=kind, subtype=subtype)
        yield file.getvalue()


def _midi_file(data: bytes) -> object:
    from kelly_live.lab.corpora.symbolic_features import read_score

    return read_score(_file(data))


def _note_file(data: bytes) -> object:
    from kelly_live.engine.audio_input import read_note_file

    return read_note_file(_file(data))


def _midi_files() -> Iterator[bytes]:
    import io

    import mido

    for ticks, end in ((480, "note_off"), (96, "note_on")):
        track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=400_000), mido.Message("note_on", note=60, time=9)])
        track += [mido.Message(end, note=60, velocity=0, time=ticks), mido.MetaMessage("end_of_track")]
        file = io.BytesIO()
        mido.MidiFile(ticks_per_beat=ticks, tracks=[track, track]).save(file=file)
        yield file.getvalue()


def _kern(data: bytes) -> object:
    from kelly_live.lab.cultures.corpora.kern import read_kern

    return read_kern(data.decode("utf-8", errors="replace"))


def _kern_tunes() -> Iterator[bytes]:
    yield b"**kern\n*k[f#]\n*G:\n*M3/4\n8d\n=1\n4g\n8qa\n[4b\n4b]\n=2\n2.ddT\n==\n*-\n"


def _abc(data: bytes) -> object:
    from kelly_live.lab.cultures.corpora.abc import read_abc

    return read_abc(data.decode("utf-8", errors="replace"))


def _abc_tunes() -> Iterator[bytes]:
    yield b"X:1\nM:3/4\nL:1/8\nQ:1/4=100\nK:Dm\nA>B (3cde ^c2 | =B4- B2 | {fe}d6 | A2B2c2 | d6 |"
    yield b'X:2\nM:C|\nL:1/8\nK:G\nV:1\nD | "Am"[GB]2 !trill!c d2 z2 |: G,A,_B/c// d4 :| ~GABc d2B2 |'


def _musicxml(data: bytes) -> object:
    from kelly_live.lab.cultures.corpora.musicxml import read_parts

    return read_parts(data, "score.xml")


def _scores() -> Iterator[bytes]:
    yield (
        b"<score-partwise><part><measure><attributes><divisions>2</divisions><key><fifths>4</fifths></key><time>"
        b"<beats>2</beats><beat-type>4</beat-type></time></attributes><note><grace/><pitch><step>B</step>"
        b"<octave>4</octave></pitch></note><note><pitch><step>C</step><alter>1</alter><octave>5</octave></pitch>"
        b'<duration>2</duration><tie type="start"/><lyric/></note><note><chord/><pitch><step>G</step><octave>4</octave>'
        b"</pitch><duration>1</duration></note><backup><duration>1</duration></backup><note><rest/><duration>2</duration>"
        b"<notations><ornaments><trill-mark/></ornaments></notations></note></measure></part></score-partwise>"
    )


def _ratings(data: bytes) -> object:
    from kelly_live.lab.corpora.listener_ratings import read_ratings

    return read_ratings(_file(data))


def _rated() -> Iterator[bytes]:
    from kelly_live.lab.corpora.listener_ratings import FILE, RATED

    row = ",".join("5" * len(RATED))
    table = f"user,language,{','.join(RATED)},excerpt\n0,xx,{row},joy\n1,yy,{row},joy\n".encode()
    yield table
    yield _tar(FILE, table)


def _annotations(data: bytes) -> object:
    from kelly_live.lab.corpora.listener_ratings import read_annotations

    return read_annotations(_file(data))


def _annotated() -> Iterator[bytes]:
    import json

    users = [f"{language}{n}" for language in ("ca", "es") for n in range(5)]
    answers = {"externalID": "song", "moodValue": "joy", "valenceValue": "1", "arousalValue": "-1"}
    yield json.dumps(
        {
            "users": [{"id": user, "motherLanguage": user[:2]} for user in users],
            "annotations": [{"userId": user, **answers} for user in users],
        }
    ).encode()


def _chord_ratings(data: bytes) -> object:
    from kelly_live.lab.corpora.listener_ratings import read_mode_preferences

    return read_mode_preferences(_file(data))


def _rated_chords() -> Iterator[bytes]:
    yield b"Mode,Background,PARTICIPANTID,Rating\nMajor,UK,1,4\nMinor,UK,1,2\nMajor,UK,2,5\nMinor,UK,2,2.5\n"


def _tar(name: str, content: bytes) -> bytes:
    import io
    import tarfile

    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        member = tarfile.TarInfo(f"corpus/{name}")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def _checkpoint(data: bytes) -> object:
    from kelly_live.core.checkpoint import load_checkpoint
    from kelly_live.mapping.net import MapperNet

    path = _file(data)
    return MapperNet.from_checkpoint(load_checkpoint(path, "mapper"), path)


def _checkpoints() -> Iterator[bytes]:
    yield (find_resources("models") / "mapper.safetensors").read_bytes()


def _vocabulary(data: bytes) -> object:
    from kelly_live.music.vocabulary import read_vocabulary

    return read_vocabulary(_file(data))


def _vocabularies() -> Iterator[bytes]:
    yield (find_model_file("vocabulary.json")).read_bytes()


def _drumming(data: bytes) -> object:
    from kelly_live.music.drumming import read_drumming

    return read_drumming(_file(data))


def _drummers() -> Iterator[bytes]:
    yield (find_model_file("drumming.json")).read_bytes()


def _words(data: bytes) -> object:
    from kelly_live.core.emotion_words import read_words

    return read_words(_file(data))


def _languages() -> Iterator[bytes]:
    yield (find_model_file("words.json")).read_bytes()


def _action(data: bytes) -> object:
    from kelly_live.core.actions import parse_action

    name, space, value = data.decode("utf-8", "replace").partition(" ")
    return parse_action(name, value if space else None)


def _actions() -> Iterator[bytes]:
    yield from (b"panic", b"valence -0.5", b"emotion sad", b"freeze on", b"nudge-arousal 1e-1")


def _options(data: bytes) -> object:
    """Read the arguments of `compose`, one a line."""
    import click

    from kelly_live.core.errors import ConfigError
    from kelly_live.engine.options.click_options import CheckedCommand, add_options
    from kelly_live.engine.options.commands import LiveOptions

    @click.command(cls=CheckedCommand, add_help_option=False)
    @add_options(LiveOptions)
    def command(options: LiveOptions) -> None:
        """Take what was typed."""

    try:
        return command.main(data.decode("utf-8", "replace").split("\n"), standalone_mode=False)
    except click.ClickException as error:
        raise ConfigError(" ".join(str(error.format_message())[:500].split())) from error


def _command_lines() -> Iterator[bytes]:
    yield b"--emotion\nsad\n--morph-to\n0.5,-0.5\n--morph-bars=4\n--seed\n7"
    yield b"--cc=valence=20,sad=21\n--cc-channel\n5\n--latency-ms=back=-5\n--port=back=IAC\n--follow=tempo,key"


def _arc(file: str, data: bytes) -> object:
    """Read an arc as the suffix of its file says."""
    from kelly_live.music.arc_file import parse_arc

    return parse_arc(data, file)


def _arc_tables() -> Iterator[bytes]:
    yield (
        b"# a scene\ntime,emotion,valence,arousal,dominance,interpolation,style,culture,hit\n"
        b"0:00,sad,,,,smooth,,klezmer,\n12.5,,,,,,,,the letter\n0:41.2,,.5,-1e-1,0,step,dance,,they embrace\n"
        b"1:00,,,,,,,,\n"
    )
    yield b"bar;emotion;hit\n1;sad;\n4.5;;here\n8;happy;\n"


def _arcs() -> Iterator[bytes]:
    yield (
        b"format: 1\nend: 1:00\nculture: klezmer\npoints:\n- {time: 0, emotion: sad, interpolation: smooth}\n"
        b"- {time: 0:41.2, valence: 0.5, arousal: 0.1, style: dance, hit: they embrace}\n"
        b"hits:\n- {time: 12.5, name: the letter}\n"
    )


def _listing(data: bytes) -> object:
    """Name a file of presets, and list its folder."""
    from kelly_live.core.preset_library import find_presets

    with tempfile.TemporaryDirectory() as folder:
        name = data.replace(b"/", b"").replace(b"\0", b"")[:200] + b".yaml"
        with open(os.path.join(os.fsencode(folder), name), "wb"):
            presets = find_presets([Path(folder)])
    assert len(presets.files) + len(presets.left_out) + name.startswith(b".") == 1
    return presets.files


def _preset_names() -> Iterator[bytes]:
    yield from (b"band", b"Bad Name", b"\xff", b"a--b")


TARGETS = {
    "osc": Target(_osc, _packets),
    "midi-in": Target(_midi_in, _takes),
    "culture": Target(_culture, _cultures),
    "config": Target(_config, _configs),
    "pieces": Target(_pieces, _piece_lists),
    "results": Target(_results, _result_lists),
    "host": Target(_host, _hosts),
    "cues": Target(_cues, _cue_sheets),
    "profile": Target(_profile, _profiles),
    "manifest": Target(_manifest, _manifests),
    "wire": Target(_wire, _frames),
    "request": Target(_request, _requests),
    "log": Target(_log, _logs),
    "replay": Target(_replay, _logs),
    "audio": Target(_audio, _recordings),
    "midi-file": Target(_midi_file, _midi_files),
    "note-file": Target(_note_file, _midi_files),
    "kern": Target(_kern, _kern_tunes),
    "abc": Target(_abc, _abc_tunes),
    "musicxml": Target(_musicxml, _scores),
    "ratings": Target(_ratings, _rated),
    "annotations": Target(_annotations, _annotated),
    "chord-ratings": Target(_chord_ratings, _rated_chords),
    "checkpoint": Target(_checkpoint, _checkpoints),
    "vocabulary": Target(_vocabulary, _vocabularies),
    "drumming": Target(_drumming, _drummers),
    "words": Target(_words, _languages),
    "action": Target(_action, _actions),
    "options": Target(_options, _command_lines),
    "arc-table": Target(partial(_arc, "stranger.csv"), _arc_tables),
    "arc": Target(partial(_arc, "stranger.yaml"), _arcs),
    "presets": Target(_listing, _preset_names),
    "controls": Target(_controls, _generate_learned_maps),
}
