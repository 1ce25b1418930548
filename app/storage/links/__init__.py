"""Which crew is which employee, and who was there when a system was last listed."""
