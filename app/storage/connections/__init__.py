"""Connections: settings, what was learned, consents on their way, the wizard's drafts."""
