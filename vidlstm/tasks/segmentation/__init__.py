"""Long videos with timed labels to a label at every step."""
