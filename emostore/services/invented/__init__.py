"""A call centre that does not exist, to try the reports on."""
