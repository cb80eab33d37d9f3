"""Arguments with comments, and how shells, YAML, TOML and JSON write them. Knows nothing of plans."""
