"""What people ask of runs: begin, look, wait, and every verb of operators."""
