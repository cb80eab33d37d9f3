"""What writes the generated pages of the documentation, and the shipped tables."""
