"""The pieces of the Settings page."""
