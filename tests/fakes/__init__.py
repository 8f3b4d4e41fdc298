"""Data whose truth is known by construction: real layouts with tiny files, and small real videos."""
