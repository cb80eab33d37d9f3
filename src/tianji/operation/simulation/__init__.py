"""The controller in a simulated pool: clock, agents and store of the simulation, the same code of the controller."""

from tianji.operation.simulation.simulator import Play, play

__all__ = ["Play", "play"]
