"""The feature store and the pipeline that fills it."""
