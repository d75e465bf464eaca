"""Which input a name means, and what is said when there is none."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from kelly_live.audio import devices
from kelly_live.core.errors import AudioError
from tests.audio.fake_portaudio import FakePortAudio, FakePortAudioError

STUDIO = [
    ("Built-in Microphone", "Core Audio", 1, 44_100),
    ("Speakers", "Core Audio", 0, 48_000),
    ("Scarlett 2i2 USB", "Core Audio", 2, 48_000),
    ("Scarlett 18i20 USB", "Core Audio", 18, 96_000),
]
TWO_APIS = [("Mic", "MME", 2, 44_100), ("Mic", "WASAPI", 2, 48_000), ("Line", "WASAPI", 2, 48_000)]

Install = Callable[..., FakePortAudio]


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> Install:
    def install(rows: list[tuple[str, str, int, int]], **options: object) -> FakePortAudio:
        fake = FakePortAudio(rows, **options)  # type: ignore[arg-type]
        monkeypatch.setattr(devices, "portaudio", lambda: fake)
        return fake

    return install


def test_inputs_are_listed_and_outputs_are_not(portaudio: Install) -> None:
    portaudio(STUDIO)
    assert [(d.index, d.label, d.channels, d.default_rate, d.is_default) for d in devices.list_inputs()] == [
        (0, "Built-in Microphone, Core Audio", 1, 44_100, True),
        (2, "Scarlett 2i2 USB, Core Audio", 2, 48_000, False),
        (3, "Scarlett 18i20 USB, Core Audio", 18, 96_000, False),
    ]


@pytest.mark.parametrize(
    ("query", "index"),
    [(None, 0), ("mic", 0), ("scarlett 2i2", 2), ("18i20", 3), ("Scarlett USB Core", None), ("BUILT microphone", 0)],
)
def test_what_a_name_means(portaudio: Install, query: str | None, index: int | None) -> None:
    portaudio(STUDIO)
    if index is None:
        with pytest.raises(AudioError, match=r"ambiguous.*Scarlett 2i2.*Scarlett 18i20.*kelly-live devices"):
            devices.resolve_input(query)
    else:
        assert devices.resolve_input(query).index == index


def test_an_unknown_name_lists_the_candidates(portaudio: Install) -> None:
    portaudio(STUDIO)
    with pytest.raises(AudioError, match=r"no audio input matches 'Speakers'.*Built-in.*kelly-live devices"):
        devices.resolve_input("Speakers")


@pytest.mark.parametrize(
    ("default_index", "query", "host_api"),
    [(1, "mic", "WASAPI"), (0, "Mic", "MME"), (0, "Mic WASAPI", "WASAPI"), (1, "Mic MME", "MME")],
)
def test_one_device_under_two_host_apis(portaudio: Install, default_index: int, query: str, host_api: str) -> None:
    portaudio(TWO_APIS, default_index=default_index)
    assert devices.resolve_input(query).host_api == host_api


def test_no_system_default_falls_back_to_the_first_host_api_that_has_an_input(portaudio: Install) -> None:
    portaudio([("HDMI", "ALSA", 0, 48_000), ("system", "JACK", 2, 48_000)], default_index=-1)
    assert devices.resolve_input(None).name == "system"


@pytest.mark.parametrize("rows", [[], [("HDMI", "ALSA", 0, 48_000)]])
@pytest.mark.parametrize("query", [None, "mic"])
def test_no_input_at_all_says_what_works_without_one(portaudio: Install, rows: list, query: str | None) -> None:
    portaudio(rows, default_index=-1)
    assert devices.list_inputs() == []
    with pytest.raises(AudioError, match=r"no audio input on this machine.*kelly-live demo"):
        devices.resolve_input(query)


@pytest.mark.parametrize("code", [-10000, -9999, -9998, -9997, -9996, -9994, -9992, -9987, -9986, -9985, -1, None])
def test_every_error_code_is_one_line_with_a_remedy(code: int | None) -> None:
    arguments = ("Error opening InputStream: x",) if code is None else ("Error opening InputStream: x", code)
    message = str(devices.device_error("Mic", FakePortAudioError(*arguments)))
    assert message.startswith("the audio input 'Mic' cannot be used: ")
    assert "kelly-live demo" in message
    assert "\n" not in message


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=os.environ | environment
    )


def test_importing_the_package_does_not_load_portaudio() -> None:
    code = (
        "import sys, kelly_live.audio.portaudio_source, kelly_live.audio.devices; print('sounddevice' in sys.modules)"
    )
    assert python(code).stdout == "False\n"


def test_without_the_library_the_remedy_is_named() -> None:
    """sounddevice raises OSError at import when it finds no libportaudio."""
    code = (
        "import sys, types, importlib.abc\n"
        "class NoLibrary(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'sounddevice': raise OSError('PortAudio library not found')\n"
        "sys.meta_path.insert(0, NoLibrary())\n"
        "from kelly_live.audio.devices import resolve_input\n"
        "from kelly_live.core.errors import AudioError\n"
        "try: resolve_input(None)\n"
        "except AudioError as error: print(error)\n"
    )
    result = python(code)
    assert "PortAudio library is not installed" in result.stdout
    assert "apt install libportaudio2" in result.stdout
    assert result.stderr == ""


def test_a_look_at_the_real_devices_is_quiet_and_starts_no_server() -> None:
    pytest.importorskip("sounddevice", exc_type=OSError)
    code = (
        "import os; from kelly_live.audio.devices import list_inputs; list_inputs()\n"
        "print(os.environ['JACK_NO_START_SERVER'])"
    )
    result = python(code, JACK_DEFAULT_SERVER="kelly-none")
    assert result.stdout == "1\n"
    assert result.stderr == ""
