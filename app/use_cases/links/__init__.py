"""Links by hand: shows pairs and open questions, compares two people, and stores what a person decides about them."""
