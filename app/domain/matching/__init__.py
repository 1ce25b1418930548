"""Who on the other side is this person, and who is offered for a run."""
