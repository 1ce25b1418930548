"""What runs by the clock: the relay to the broker, recovery after crashes, renewing tokens, watching the webhook
registrations; and key rotation."""
