"""What reports add up, added up in advance."""
