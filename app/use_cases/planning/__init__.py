"""One employee planned from both records, and whether the plans together are a mass change."""
