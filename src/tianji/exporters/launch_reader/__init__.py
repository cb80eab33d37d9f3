"""A Megatron or MindSpeed launch script, read back as a job and a strategy. Nothing is executed."""
