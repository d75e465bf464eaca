"""Keys become actions; the terminal they come from is given back as it was, whatever happens."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.control.keyboard import (
    KEY_HELP,
    KEYS,
    SHORT_HELP,
    Keyboard,
    KeyParser,
    describe_keys,
    describe_own_keys,
    find_action,
)
from kelly_live.core.actions import REACTIONS, Action, apply_action
from kelly_live.core.emotion_space import create_state
from kelly_live.core.override import apply_override
from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.core.values import EMOTIONS, EmotionState
from tests.ui.on_terminal import OnTerminal

SHOWN = create_state(0.2, -0.3, 0.1)
ARROWS = {"up": b"\x1b[A", "down": b"\x1b[B", "right": b"\x1b[C", "left": b"\x1b[D"}


def after(
    *keys: str, override: EmotionOverride | None = None, state: EmotionState = SHOWN, bars: float = 0.0
) -> EmotionOverride:
    override = override or EmotionOverride()
    for key in keys:
        if (action := find_action(key)) is not None:
            override = apply_action(action, override, state, bars)
    return override


def test_f_freezes_and_follows_again() -> None:
    assert after("f") == EmotionOverride(freeze=True)
    assert after("f", "f") == EmotionOverride()


def test_arrows_move_one_axis_by_a_tenth_and_make_it_manual() -> None:
    assert after("right") == EmotionOverride(valence=0.3)
    assert after("left", "left") == EmotionOverride(valence=0.0)
    assert after("up", "right", "down") == EmotionOverride(valence=0.3, arousal=-0.3)
    assert after(">", ".", "<") == EmotionOverride(dominance=0.2)
    assert after(*["up"] * 30).arousal == 1.0


@pytest.mark.parametrize(("key", "emotion"), [(str(n), name) for n, name in enumerate(EMOTIONS, start=1)])
def test_a_number_morphs_from_here_to_its_emotion_in_8_bars_from_the_next_bar_line(key: str, emotion: str) -> None:
    override = after(key, bars=5.3)
    assert override == EmotionOverride(morph=Morph(EmotionOverride(emotion=emotion), 6.0, 8.0, SHOWN))
    assert apply_override(create_state(), override, 5.3).valence == SHOWN.valence
    assert apply_override(create_state(), override, 14.0).emotion == emotion


def test_an_arrow_takes_over_from_a_morph() -> None:
    assert after("1", "right") == EmotionOverride(valence=0.3, arousal=-0.3, dominance=0.1)


def test_0_lets_go_of_everything() -> None:
    assert after("f", "up", "3", "0") == EmotionOverride()


def test_other_keys_leave_the_override_alone() -> None:
    override = EmotionOverride(valence=0.3, freeze=True)
    assert after("?", "q", "p", "+", "t", "[", "x", "9", "Q", "escape", override=override) == override
    assert find_action("x") is None


def test_every_key_is_in_the_list_and_every_reaction_has_a_key() -> None:
    listed = [key for keys, _ in KEY_HELP for key in keys.split()]
    assert sorted(listed) == sorted(KEYS)
    assert all(keys in describe_keys() for keys, _ in KEY_HELP)
    assert "? lists all" in SHORT_HELP
    assert len(SHORT_HELP) < 80
    assert set(REACTIONS) <= {action.name for action in KEYS.values()}
    assert find_action("=") == find_action("+") == Action("like")


def test_the_bytes_of_keys() -> None:
    assert KeyParser().feed(b"f1?Q") == ["f", "1", "?", "q"]
    for name, sequence in ARROWS.items():
        assert KeyParser().feed(sequence) == [name]
        assert KeyParser().feed(sequence.replace(b"[", b"O")) == [name]  # as some terminals send them
    assert KeyParser().feed(b"\x1b[1;2C") == ["right"]  # with shift


@pytest.mark.parametrize("other", [b"\x1b[15~", b"\x1b[3~", b"\x1bOP", b"\x1bf", b"\r\n\t \x7f", "ä1€".encode()[:2]])
def test_other_keys_are_no_keys(other: bytes) -> None:
    parser = KeyParser()
    assert parser.feed(other) == []
    assert parser.feed(b"f") == ["f"]


def test_the_escape_key_alone_swallows_nothing_that_comes_later() -> None:
    parser = KeyParser()
    assert parser.feed(b"\x1b") == []
    assert parser.feed(b"") == []  # nothing followed
    assert parser.feed(b"f") == ["f"]
    assert KeyParser().feed(b"\x1b\x1b[A") == ["up"]


@given(st.lists(st.sampled_from([*ARROWS.values(), b"f", b"\x1b[15~", b"8", b"\x1bOA"]), max_size=12), st.data())
def test_keys_that_arrive_in_pieces_are_the_same_keys(keys: list[bytes], data: st.DataObject) -> None:
    all_bytes = b"".join(keys)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(all_bytes)), max_size=6, unique=True)))
    pieces = [all_bytes[a:b] for a, b in zip([0, *cuts], [*cuts, len(all_bytes)], strict=True)]
    parser = KeyParser()
    assert [key for piece in pieces if piece for key in parser.feed(piece)] == KeyParser().feed(all_bytes)


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    parser = KeyParser()
    for key in [*parser.feed(data), *parser.feed(b""), *parser.feed(b"f")]:
        find_action(key)


@pytest.mark.parametrize("stream", [io.StringIO("fff"), None])
def test_without_a_terminal_it_is_off(stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", stream)
    with Keyboard() as keyboard:
        assert not keyboard.is_open
        assert keyboard.poll() == []


# A shell's child with a controlling terminal of its own: it says what it reads, and how the terminal is set.
CHILD = """
import sys, termios, time
from kelly_live.control.keyboard import Keyboard
def modes(): return "raw" if not termios.tcgetattr(0)[3] & (termios.ICANON | termios.ECHO) else "cooked"
print(modes(), flush=True)
with Keyboard() as keyboard:
    print(modes(), flush=True)
    while True:
        for key in keyboard.poll():
            print("key", key, modes(), flush=True)
            if key == "q": sys.exit(0)
            if key == "x": raise SystemError("a fault")
        time.sleep(0.005)
"""


@pytest.fixture
def child() -> Iterator[OnTerminal]:
    pytest.importorskip("termios")
    program = OnTerminal("-c", CHILD)
    program.wait_for("cooked")
    program.wait_for("raw")
    yield program
    program.close()


def test_a_terminal_gives_keys_at_once_and_unechoed(child: OnTerminal) -> None:
    child.type(b"f\x1b[A7")
    child.wait_for("key f raw")
    child.wait_for("key up raw")
    child.wait_for("key 7 raw")


@pytest.mark.parametrize(
    ("end", "how"), [(b"q", "the end"), (b"x", "a fault"), (b"\x03", "Ctrl-C"), (signal.SIGTERM, "a handled signal")]
)
def test_the_terminal_is_restored_however_it_ends(end: bytes | int, how: str) -> None:
    pytest.importorskip("termios")
    program = OnTerminal("-c", "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n" + CHILD)
    program.wait_for("raw")
    assert program.modes() == "raw"
    if isinstance(end, bytes):
        program.type(end)
    else:
        os.kill(program.pid, end)
    os.waitpid(program.pid, 0)
    assert program.modes() == "cooked", how
    os.close(program.ours)


@pytest.mark.skipif(shutil.which("bash") is None, reason="asks a shell with job control to stop and continue it")
def test_ctrl_z_restores_the_terminal_until_the_program_continues(tmp_path: Path) -> None:
    pytest.importorskip("termios")
    (tmp_path / "child.py").write_text(CHILD)
    shell = OnTerminal("-c", "import os; os.execvp('bash', ['bash', '--norc', '--noprofile', '--noediting', '-i'])")
    shell.type(f"{sys.executable} {tmp_path}/child.py\n".encode())
    shell.wait_for("\nraw")
    shell.type(b"f")
    shell.wait_for("key f raw")
    shell.type(b"\x1a")
    shell.wait_for("Stopped")
    assert shell.modes() == "cooked"
    shell.type(b"echo back-$((6*7))\n")
    shell.wait_for("back-42")
    shell.type(b"bg\n")  # in the background it leaves the terminal alone
    shell.type(b"jobs; echo still-$((6*7))\n")
    shell.wait_for("Running")
    shell.wait_for("still-42")
    assert shell.modes() == "cooked"
    shell.type(b"fg\n")
    shell.wait_until(lambda: shell.modes() == "raw", "it takes the terminal again")
    shell.type(b"8")
    shell.wait_for("key 8 raw")
    shell.type(b"q")
    shell.wait_for("key q")
    shell.wait_until(lambda: shell.modes() == "cooked", "it gives the terminal back")
    shell.close()


def test_keys_need_no_torch() -> None:
    check = "import sys, kelly_live.control.keyboard; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_a_performers_own_keys_come_first_and_may_be_nothing() -> None:
    own_keys = {"x": Action("panic"), "q": None}
    assert find_action("x", own_keys) == Action("panic")
    assert find_action("q", own_keys) is None
    assert find_action("f", own_keys) == Action("freeze")
    assert describe_own_keys(own_keys) == "your keys: x panic, q nothing"
