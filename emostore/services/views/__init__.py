"""What pages show, put together from the store's reports and the analytics."""
