"""Voice-emotion reporting: recorded speech in, distributions over nine emotions out."""

__version__ = "0.1.0"
