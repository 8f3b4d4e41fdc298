"""Predictions as JSON, CSV and Parquet, and back; scores as a table in the terminal."""
