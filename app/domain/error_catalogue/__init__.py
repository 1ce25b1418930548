"""What went wrong in words for people: cause, remedy, who can repair it."""
