"""What periodic jobs ask: recovery after crashes, leases by name, key rotation."""
