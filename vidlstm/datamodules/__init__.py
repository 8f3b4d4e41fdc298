"""Records and stored features to batches."""
