"""The MIDI back ends of this package; the registry loads them by their entry points."""
