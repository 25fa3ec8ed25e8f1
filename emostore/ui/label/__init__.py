"""The pieces of the Label page."""
