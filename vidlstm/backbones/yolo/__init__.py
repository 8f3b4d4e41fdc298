"""YOLO networks: opened without trusting them, and what is said of what they see."""
