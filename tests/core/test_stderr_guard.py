"""fd 2 is silent inside, and whole again after, however the blocks of several threads overlap."""

import os
import threading

import pytest

from kelly_live.core.stderr_guard import guard_stderr


def shout(text: str) -> None:
    os.write(2, text.encode())


def test_silent_inside_and_whole_after(capfd: pytest.CaptureFixture[str]) -> None:
    shout("before ")
    with guard_stderr():
        shout("inside ")
        with guard_stderr():
            shout("deeper ")
        shout("inside again ")
    shout("after")
    assert capfd.readouterr().err == "before after"


def test_restored_when_the_body_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="boom"), guard_stderr():
        raise ValueError("boom")
    shout("after")
    assert capfd.readouterr().err == "after"


def test_overlapping_threads_do_not_lose_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """A enters, B enters, A leaves, B leaves: the interleaving that a naive save-and-restore gets wrong."""
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()

    def second() -> None:
        assert first_in.wait(10)
        with guard_stderr():
            second_in.set()
            assert first_out.wait(10)

    thread = threading.Thread(target=second)
    thread.start()
    with guard_stderr():
        first_in.set()
        assert second_in.wait(10)
    first_out.set()
    thread.join(10)
    shout("whole")
    assert capfd.readouterr().err == "whole"
