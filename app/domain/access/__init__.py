"""What the users of the screens may do, and what a password must be."""
