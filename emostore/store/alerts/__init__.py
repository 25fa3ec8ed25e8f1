"""Alert rules, and what becomes of alerts."""
