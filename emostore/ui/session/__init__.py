"""The pieces of the Session page."""
