"""What runs inside the parser's child process: reading files, profiling, and finding insights."""
