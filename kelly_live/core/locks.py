"""The musical parameters that a performer can lock; what each holds is in music/parameter_locks.py."""

from __future__ import annotations

LOCKS = ("tempo", "mode", "key", "register", "dynamics", "density", "articulation")
