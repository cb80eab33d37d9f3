"""Search: all strategies of a job on a pool, priced and ranked."""

from tianji.search.exploration import Candidate, Found, explore
from tianji.search.planner import Outcome, plan
from tianji.search.space import Space

__all__ = ["Candidate", "Found", "Outcome", "Space", "explore", "plan"]
