"""The pieces of the Alerts page."""
