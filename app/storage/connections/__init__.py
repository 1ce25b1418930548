"""Connections: their settings, what surveys have learned, consents on their way, the wizard's drafts."""
