"""Connections: the wizard, settings, consents, tokens, and the webhook registration at SmartHR."""
