"""What every target needs to know of a plan: hosts and ranks, layers, environment, header."""
