"""Time and bytes of ops, collectives, pipelines and steps: the cost model."""
