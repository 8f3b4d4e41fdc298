"""Clips of whole frames to a label each; long videos to segments."""
