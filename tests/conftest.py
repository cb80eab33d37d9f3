"""Settings for every test."""

from hypothesis import settings

# The same examples on each run and no time limit for one: a check fails for its reason, never for a busy machine.
settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.load_profile("steady")
