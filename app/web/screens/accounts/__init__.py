"""The pages of people who sign in: sign-in, own account, users, audit trail."""
