"""The verbs of Tianji as Python functions; the command line calls these and nothing else.

Each takes names or objects and texts with units or numbers, and returns an :class:`~tianji.api.answer.Answer`.
"""
