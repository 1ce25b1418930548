"""What a person at a practice product's screen sees: everybody, one person, and forms for what a person does there."""
