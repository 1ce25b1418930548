"""Connections: the wizard, settings, consents, tokens, pause, and the webhook registration at SmartHR."""
