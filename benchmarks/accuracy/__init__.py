"""The project's own laboratory: what predictions are held to, and what they are held against.

Nothing here is part of the package: whoever validates a table of his own gets neither our bars nor our peers. The page
docs/accuracy.md is written from it by ``python -m docs.generators.accuracy``.
"""
