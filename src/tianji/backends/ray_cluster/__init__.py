"""Ray beyond one machine: an engine that trains, a mapper that spreads sweeps, and a pool for people without a cluster."""
