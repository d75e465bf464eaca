"""What one person means by sad: reactions, what was learned of them, and where that is kept."""
