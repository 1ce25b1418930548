"""Who may use Awase: API keys, users, passwords, sessions, invitations."""
