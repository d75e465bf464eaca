"""Emotion from sound: log-mel features, nets, and the readers that turn audio into emotion states."""
