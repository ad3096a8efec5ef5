"""Studies: many runs, their cost and their progress."""
