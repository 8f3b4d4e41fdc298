"""Draws small labelled clips, so that the whole job runs with no download. It knows nothing of models."""
