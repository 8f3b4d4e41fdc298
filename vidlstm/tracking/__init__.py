"""Frames to tracks of objects: a detector, a tracker, and the table of what they found."""
