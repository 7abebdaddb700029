"""What tools do with whole tables instead of row by row: count, sort, pivot, find sessions."""
