"""The values that packages exchange, the protocols between them, errors, clocks and small helpers.

Imports nothing of this package outside `core`.
"""
