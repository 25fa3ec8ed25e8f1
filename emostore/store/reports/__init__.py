"""Reading: what pages and services show, as frozen values."""
