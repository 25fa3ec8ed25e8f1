"""The pieces of the Home page."""
