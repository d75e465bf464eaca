"""The torch nets of the emotion reader, and the features that they take."""
