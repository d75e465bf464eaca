"""One culture at one strength, between what is felt and what is played. Thread: analysis only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from kelly_live.core.values import MODES, RHYTHMS, CultureStyle, Scale
from kelly_live.lab.nets.culture import CulturalContextAdapter, CultureOutput

Colour = Callable[[torch.Tensor], CultureOutput]  # emotions [1, E] to what the culture makes of them
# How much more (or less) than on average each of MODES is felt, to how the culture plays what feels so.
StyleChooser = Callable[[Sequence[float]], CultureStyle | None]


class CultureStage:
    """What a culture makes of emotions, taken over by `strength` (0: nothing of it, 1: all of it), and the `scale` that
    it is played in, None for the mapper's modes; `styles` says how it is played, None as anything else.
    """

    def __init__(
        self, colour: Colour, strength: float = 1.0, scale: Scale | None = None, styles: StyleChooser | None = None
    ) -> None:
        self._colour, self.scale, self._styles = colour, scale, styles
        self.strength = min(max(strength, 0.0), 1.0)

    @classmethod
    def learned(
        cls, adapter: CulturalContextAdapter, name: str, strength: float = 1.0, device: str = "cpu", *,
        scale: Scale | None = None, styles: StyleChooser | None = None,
    ) -> CultureStage:  # fmt: skip
        """A culture that the adapter learned, in a scale of its own if one is given. Raises ConfigError for others."""
        net, own = adapter.to(device).eval(), torch.tensor([adapter.culture_id(name)], device=device)
        return cls(lambda emotions: net(emotions, own), strength, scale, styles)

    @classmethod
    def of_numbers(
        cls, strength: float = 1.0, device: str = "cpu", *, tempo_bpm: tuple[float, ...] | None = None,
        modes: tuple[float, ...] | None = None, dynamics: tuple[float, ...] | None = None,
        rhythms: tuple[float, ...] | None = None, scale: Scale | None = None, styles: StyleChooser | None = None,
    ) -> CultureStage:  # fmt: skip
        """A culture that no net learned, such as a user's own preset: its numbers as they are, None where not known."""

        def row(values: tuple[float, ...] | None, width: int) -> torch.Tensor:
            return torch.tensor([values or (1.0 / width,) * width], device=device)

        parts = (tempo_bpm, modes, dynamics, rhythms)
        known = torch.tensor([[float(part is not None) for part in parts]], device=device)
        tempo, loud = row(tempo_bpm or (110.0,) * 3, 3), row(dynamics, 3)
        weights, patterns = row(modes, len(MODES)), row(rhythms, len(RHYTHMS))
        nothing = torch.zeros(1, 0, device=device)

        def colour(felt: torch.Tensor) -> CultureOutput:
            return CultureOutput(felt, tempo, weights, loud, patterns, nothing, known)

        return cls(colour, strength, scale, styles)

    @property
    def has_styles(self) -> bool:
        """Whether `style` may have something to say; never at strength 0."""
        return self._styles is not None and self.strength > 0.0

    def style(self, modes: Sequence[float]) -> CultureStyle | None:
        """How to play what leans so to each of MODES."""
        return None if self._styles is None else self._styles(modes)

    def __call__(self, emotions: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Emotions `[1, E]` as they are heard in this culture, and what the mapper takes of it."""
        out = self._colour(emotions)
        return torch.lerp(emotions, out.adapted_emotion, self.strength), out.music()
