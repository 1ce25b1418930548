"""The invented people of the practice company, and the outcome each of them should have."""
