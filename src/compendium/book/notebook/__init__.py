"""What a cell of a chapter calls."""
