"""Parsing and printing; each verb is a thin face of one workflow."""
