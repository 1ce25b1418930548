"""Plans one employee from the records of both systems, and finds out whether the plans together are a mass change."""
