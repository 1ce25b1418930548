"""What has to leave Awase: the outbox of jobs for the broker, and mails."""
