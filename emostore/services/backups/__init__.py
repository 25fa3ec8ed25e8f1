"""Everything that is stored as one file, and back."""
