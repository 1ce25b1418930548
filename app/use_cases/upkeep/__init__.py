"""What the clock asks for: relay to the broker, recovery after crashes, key rotation."""
