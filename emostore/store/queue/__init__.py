"""The queue of work, as rows."""
