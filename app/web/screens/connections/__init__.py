"""The pages of connections: list and settings, the wizard, freee's consent."""
