"""What the user sees: the status line, progress, pictures."""
