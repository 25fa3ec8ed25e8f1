"""The pieces of the Calibration page."""
