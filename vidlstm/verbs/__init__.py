"""The verbs of the command line as plain functions: each exists once and asks the task for what differs."""
