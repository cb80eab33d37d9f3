"""A second backend, on MindSpore: the same plan, weights and tokens as the torch trainer's, and the same losses.

Read in this order: ``limits`` (what it does not run, and why), ``engine`` (starts the ranks and watches them), ``carried`` (the
weights, drawn by torch), ``places`` (who holds what), ``collectives`` (what ranks say to each other), ``network`` (the model),
``turns`` (whose turn it is in a pipeline), ``loop`` (a step, and all of them), ``worker`` (one rank).
MindSpore has an environment of its own: ``collectives``, ``network``, ``loop`` and ``worker`` import it, torch is never there.
"""
