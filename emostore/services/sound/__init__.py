"""The audio that is kept: copies, outlines, what a browser plays."""
