"""What each kind of prediction can become; heavy imports wait until an output is written."""
