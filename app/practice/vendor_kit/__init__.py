"""What both practice vendors are made with: faults, switches, limits, webhooks, persistence, the mailbox."""
