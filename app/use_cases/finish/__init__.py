"""The end of a run, exactly once, and its mails."""
