"""The practice company: both vendors as contract-true servers, staff, a mailbox, `make run`, `make demo`."""
