"""Work that takes its time and says which process does it."""
