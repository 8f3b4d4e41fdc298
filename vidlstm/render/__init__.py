"""Predictions to files: tables, pictures, annotated video. It knows nothing of models and loads none."""
