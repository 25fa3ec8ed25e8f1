"""Clips that sound alike, and a map of them."""
