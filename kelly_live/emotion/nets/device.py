"""Choose the device that the nets run on."""

from __future__ import annotations

import torch

from kelly_live.core.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str = "auto") -> torch.device:
    """Return the torch device for "auto", "cpu", "cuda" or "mps"; auto is CUDA, else MPS, else the CPU.

    Raises ConfigError if the device is not available.
    """
    if name not in DEVICES:
        raise ConfigError(f"there is no device {name!r}; it must be one of {', '.join(DEVICES)}")
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if present[kind]))
    if not present[name]:
        raise ConfigError(
            f"device {name!r} was asked for, but torch {torch.__version__} finds none; use --device auto or cpu"
        )
    return torch.device(name)


def describe_device(name: str = "auto") -> str:
    """Say which torch this is, and where the nets run. Raises ConfigError if the device is not available."""
    device = choose_device(name)
    gpu = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    return f"torch {torch.__version__}; the nets run on: {device.type}{gpu}"
