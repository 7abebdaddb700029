"""Two compilers of one checked tree: row by row, and column by column."""
