"""Work that outlives the page that asked for it: handed in, staged, done by workers, followed."""
