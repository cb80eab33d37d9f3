"""One file for each training framework: what it has, what it refuses, and the files that it reads."""
