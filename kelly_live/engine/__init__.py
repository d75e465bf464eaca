"""The application: options become parts, and parts a running session or a finished piece."""
