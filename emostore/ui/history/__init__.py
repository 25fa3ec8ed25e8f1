"""The pieces of the History page."""
