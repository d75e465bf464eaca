"""Adaptation to the voice of a session."""

import torch

from kelly_live.emotion.nets.adaptation import VoiceAdaptation
from kelly_live.emotion.nets.emotion import MultiScaleEmotionNet
from kelly_live.emotion.nets.members import WIDTHS, Description

MUSIC_OUTPUT = 8 + 3 + 1  # its place among a member's outputs


def make_net(*, music: float, adaptation_seconds: float = 10.0) -> MultiScaleEmotionNet:
    """A random net that answers that all sound is present, and music by a fixed log-odds."""
    torch.manual_seed(0)
    net = MultiScaleEmotionNet(hidden_dim=8, adaptation_seconds=adaptation_seconds).eval()
    with torch.no_grad():
        for member in net.members.each:
            member.head.weight[MUSIC_OUTPUT - 1 : MUSIC_OUTPUT + 1] = 0.0
            member.head.bias[MUSIC_OUTPUT - 1], member.head.bias[MUSIC_OUTPUT] = 20.0, music
    return net


def make_description(seed: int, offset: float = 0.0) -> Description:
    generator = torch.Generator().manual_seed(seed)
    return Description(*(torch.randn(1, WIDTHS[name], generator=generator) + offset for name in Description._fields))


def test_a_shifted_speaker_sounds_like_the_training_speakers_in_the_end() -> None:
    net = make_net(music=-20.0)
    adaptation = VoiceAdaptation(net)
    answers = [adaptation.predict(make_description(n, offset=2.0), 1.0).valence for n in range(200)]
    plain = [net.predict(make_description(n)).valence for n in range(200)]
    shifted = [net.predict(make_description(n, offset=2.0)).valence for n in range(200)]
    last = slice(100, 200)
    error = (torch.cat(answers[last]) - torch.cat(plain[last])).abs().mean()
    assert error < 0.5 * (torch.cat(shifted[last]) - torch.cat(plain[last])).abs().mean()


def test_music_and_silence_change_nothing() -> None:
    for music, seconds in ((20.0, 1.0), (-20.0, 0.0)):
        net = make_net(music=music)
        adaptation = VoiceAdaptation(net)
        for n in range(20):
            description = make_description(n, offset=2.0)
            torch.testing.assert_close(adaptation.predict(description, seconds), net.predict(description))


def test_a_reset_forgets_the_session_and_a_net_without_a_prior_never_adapts() -> None:
    net = make_net(music=-20.0)
    adaptation = VoiceAdaptation(net)
    first = adaptation.predict(make_description(0, 2.0), 1.0)
    for n in range(20):
        adaptation.predict(make_description(n, 2.0), 1.0)
    adaptation.reset()
    torch.testing.assert_close(adaptation.predict(make_description(0, 2.0), 1.0), first)
    off = make_net(music=-20.0, adaptation_seconds=0.0)
    torch.testing.assert_close(
        VoiceAdaptation(off).predict(make_description(0, 2.0), 1.0), off.predict(make_description(0, 2.0))
    )
