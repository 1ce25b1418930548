"""Links by hand: pairs, open questions, two people compared, what a person decides."""
