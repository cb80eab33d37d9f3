"""Megatron's options from a plan, in one dialect for each framework of its family."""
