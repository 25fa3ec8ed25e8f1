"""Clips as tables, lines and folders, to take away."""
