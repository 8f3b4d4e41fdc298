"""Figures of matplotlib, without pyplot, so there is no global figure."""
