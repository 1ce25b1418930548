"""Runs and their items: states, steps, planned changes, previews, history."""
