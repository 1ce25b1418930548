"""What has to leave: the outbox of jobs for the broker, and mails."""
