"""What controls a session: the keyboard, MIDI controllers and OSC, each a ControlSurface."""
