"""Music: theory, harmony, phrases, form, styles, and the conductor."""
