"""Engines that run a plan for real."""
