"""Which SmartHR crew is which freee employee, and which people each system had when it was last listed."""
