"""The data orchestrator: runs the data mash and tells what the stewards and the librarian did in it."""
