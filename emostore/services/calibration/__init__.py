"""Labels, what is fitted on them, and bringing it into use."""
