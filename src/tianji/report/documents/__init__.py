"""Documents: what an answer says, as plain values for programs, and their types."""
