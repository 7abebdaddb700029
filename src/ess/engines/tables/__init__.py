"""Work on whole tables instead of row by row: counting, sorting, pivoting, finding sessions."""
