"""Who else is playing: the beat and the key of the sound that comes in, causally, with a confidence each."""

TRACKABLE = ("tempo", "key")
