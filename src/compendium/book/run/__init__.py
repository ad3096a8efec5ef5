"""Running chapters."""
