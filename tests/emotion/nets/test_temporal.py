"""The temporal model: row-stochastic transitions, use of the timestamps, attention along time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.values import EMOTIONS
from kelly_live.emotion.nets.temporal import N_EXTRA, EmotionTransitionModel


def make_model(seed: int = 0, **config: int) -> EmotionTransitionModel:
    torch.manual_seed(seed)
    model = EmotionTransitionModel(hidden_dim=16, heads=4, **config).eval()
    torch.nn.init.normal_(model.rate, std=2.0)
    return model


def history(batch: int = 3, steps: int = 7, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    emotions = torch.softmax(2 * torch.randn(batch, steps, len(EMOTIONS), generator=generator), 2)
    times = torch.cumsum(0.05 + torch.rand(batch, steps, generator=generator), 1)
    return emotions, times, torch.rand(batch, steps, N_EXTRA, generator=generator) * 1.8 - 0.9


@torch.inference_mode()
def test_shapes_and_ranges() -> None:
    out = make_model()(*history())
    assert out.evolved_emotions.shape == (3, 7, 8)
    assert out.transitions.shape == (3, 6, 8, 8)
    assert out.evolved_affect.shape == (3, 7, 3)
    torch.testing.assert_close(out.evolved_emotions.sum(2), torch.ones(3, 7))
    assert (out.evolved_affect.abs() <= 1).all()


@torch.inference_mode()
def test_the_documented_interface_works_without_extras() -> None:
    emotions, times, _ = history()
    out = make_model()(emotions, times)
    assert torch.isfinite(out.evolved_emotions).all()


@torch.inference_mode()
def test_transitions_are_row_stochastic_and_follow_the_elapsed_time() -> None:
    model = make_model()
    emotions, times, extra = history()
    out = model(emotions, times, extra)
    assert (out.transitions >= 0).all()
    torch.testing.assert_close(out.transitions.sum(3), torch.ones(3, 6, 8))
    torch.testing.assert_close(out.transitions[1, 2], model.transition_matrix(times[1, 3] - times[1, 2]))


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 10), st.floats(0, 10))
def test_two_short_steps_are_one_long_one(first: float, second: float) -> None:
    model = make_model()
    with torch.inference_mode():
        short = model.transition_matrix(torch.tensor(first)) @ model.transition_matrix(torch.tensor(second))
        torch.testing.assert_close(short, model.transition_matrix(torch.tensor(first + second)), atol=1e-4, rtol=0.0)
        torch.testing.assert_close(model.transition_matrix(torch.tensor(0.0)), torch.eye(8))


@torch.inference_mode()
def test_timestamps_are_used() -> None:
    model = make_model()
    emotions, times, extra = history()
    change = model(emotions, times, extra).evolved_emotions - model(emotions, 3 * times, extra).evolved_emotions
    assert change.abs().max() > 1e-4


@torch.inference_mode()
def test_permuting_the_batch_permutes_the_answer() -> None:
    model, inputs, order = make_model(), history(), torch.tensor([2, 0, 1])
    straight, permuted = model(*inputs), model(*(part[order] for part in inputs))
    for a, b in zip(straight, permuted, strict=True):
        torch.testing.assert_close(a[order], b)


@torch.inference_mode()
def test_each_history_is_its_own() -> None:
    model = make_model()
    emotions, times, extra = history()
    alone = model(emotions[:1], times[:1], extra[:1]).evolved_emotions
    torch.testing.assert_close(model(emotions, times, extra).evolved_emotions[:1], alone)


@torch.inference_mode()
def test_attention_carries_an_early_moment_to_the_last_step() -> None:
    model = make_model(bidirectional=False)
    torch.nn.init.zeros_(model.lstm.weight_hh_l0)  # without recurrence only attention can carry it
    for gate in (1,):  # and without the forget gate's memory
        model.lstm.bias_ih_l0[gate * 16 : (gate + 1) * 16] = -50.0
        model.lstm.weight_ih_l0[gate * 16 : (gate + 1) * 16] = 0.0
    emotions, times, extra = history()
    before = model(emotions, times, extra).evolved_emotions[:, -1]
    emotions[0, 0] = emotions[0, 0].roll(3)
    after = model(emotions, times, extra).evolved_emotions[:, -1]
    assert (after - before)[0].abs().max() > 1e-6
    torch.testing.assert_close(after[1:], before[1:])


@torch.inference_mode()
def test_a_forecast_starts_here_and_ends_at_rest() -> None:
    model = make_model()
    emotions, _, extra = history()
    now, affect = emotions[:, -1], extra[:, -1, :3]
    zero, far = torch.zeros(3), torch.full((3,), 1e4)
    same, same_affect = model.forecast(now, affect, zero)
    torch.testing.assert_close(same, now, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(same_affect, affect)
    rest, rest_affect = model.forecast(now, affect, far)
    torch.testing.assert_close(rest[0], rest[1], atol=1e-3, rtol=0.0)
    torch.testing.assert_close(rest_affect[0], rest_affect[1], atol=1e-3, rtol=0.0)


@pytest.mark.parametrize("steps", [1, 2, 32])
def test_any_length_of_history(steps: int) -> None:
    out = make_model()(*history(steps=steps))
    assert out.transitions.shape == (3, steps - 1, 8, 8)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), size=st.floats(0.1, 20.0))
@torch.inference_mode()
def test_no_weights_keep_an_old_emotion_for_long(seed: int, size: float) -> None:
    """Four seconds of high arousal, then four of low: with any weights the last one is low."""
    model = make_model(seed)
    for parameter in (model.weigh.weight, model.fade.weight, model.evolve_affect.weight):
        torch.nn.init.normal_(parameter, std=size)
    emotions = torch.full((1, 32, len(EMOTIONS)), 1.0 / len(EMOTIONS))
    extra = torch.ones(1, 32, N_EXTRA)
    extra[0, :16, 1], extra[0, 16:, 1] = 0.7, -0.7
    arousal = model(emotions, torch.arange(32.0)[None] * 0.25, extra).evolved_affect[0, :, 1]
    assert arousal[-1] < -0.1


@torch.inference_mode()
def test_the_newest_step_alone_equals_the_last_of_all_steps() -> None:
    torch.manual_seed(4)
    model = EmotionTransitionModel().eval()
    for parameter in model.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    emotions, times = torch.softmax(torch.randn(2, 9, 8), dim=2), torch.rand(2, 9).cumsum(dim=1)
    extra = torch.rand(2, 9, 5)
    all_steps = model(emotions, times, extra)
    newest, affect = model.evolve_newest(emotions, times, extra)
    torch.testing.assert_close(newest, all_steps.evolved_emotions[:, -1])
    torch.testing.assert_close(affect, all_steps.evolved_affect[:, -1])
