"""Kelly Live: listens to sound, feels the emotion in it and plays along over MIDI."""

import logging

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())  # quiet, until a program asks for more
