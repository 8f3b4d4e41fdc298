"""The verbs as plain functions; the only room that puts the others together."""
