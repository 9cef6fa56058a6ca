"""Ending sessions that nobody uses, and those that have lasted long enough."""
