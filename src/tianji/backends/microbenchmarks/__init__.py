"""Micro-measurements of the chips and links of the machine it runs on, made by ranks that all work at once."""
