"""What labelling tools write, one file a tool: labels in time, before anyone looked where the videos lie."""
