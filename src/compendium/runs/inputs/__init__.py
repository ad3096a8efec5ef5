"""What a run is shown of its sections."""
