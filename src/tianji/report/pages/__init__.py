"""Web pages of an answer: what stands on them, how they look, and their plots and tables as files."""
