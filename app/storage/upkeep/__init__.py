"""The queries of periodic jobs: recovery after crashes, leases by name, key rotation."""
