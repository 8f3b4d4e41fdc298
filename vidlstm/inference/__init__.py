"""Trained models over whole videos' features."""
