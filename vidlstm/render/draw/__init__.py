"""Drawn on the frames of a video."""
