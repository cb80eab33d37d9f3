"""A user's own manifest, checked against its schema and the rules of its scheduler."""
