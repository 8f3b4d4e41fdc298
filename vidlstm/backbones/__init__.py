"""Frozen networks: frames to features; they never open a file of frames."""
