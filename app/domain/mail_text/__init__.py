"""The text of every mail: the summary of a run, and notices."""
