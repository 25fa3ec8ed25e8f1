"""The pieces of the Clip page."""
