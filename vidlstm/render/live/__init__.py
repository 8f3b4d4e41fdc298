"""Where a person or a machine sees what is watched, while it is watched."""
