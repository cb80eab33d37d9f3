"""One file for each scheduler: its manifest or script, and what it starts on a node."""
