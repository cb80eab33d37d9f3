"""Ranks at work: one agent on each node starts, watches and ends them, for every engine and for an operation."""
