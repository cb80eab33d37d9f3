"""Search: all strategies of a job on a pool, priced and ranked."""

from tianji.search.candidate import Candidate
from tianji.search.exhaustive import SearchResult, explore
from tianji.search.options import SearchOptions
from tianji.search.planner import Outcome, plan
from tianji.search.space import Space

__all__ = ["Candidate", "Outcome", "SearchOptions", "SearchResult", "Space", "explore", "plan"]
