"""Access to Awase itself: API keys, users, sessions, invitations, the audit trail."""
