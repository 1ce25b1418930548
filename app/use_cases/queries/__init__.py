"""What people read: dashboard, list of runs, one run, preview, results, mail, audit trail."""
