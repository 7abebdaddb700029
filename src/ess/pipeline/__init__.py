"""From a command line to its answer: options, the plan they make, and the run of it."""
