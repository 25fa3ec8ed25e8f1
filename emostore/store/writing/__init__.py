"""Saving, editing and deleting recordings, clips and what they belong to."""
