"""What each tracked object does."""
