"""Kelly Live: listens to sound, feels the emotion in it and plays along over MIDI."""

__version__ = "0.1.0"
