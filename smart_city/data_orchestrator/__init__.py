"""The data orchestrator: runs the data mash and tells what each role did in it."""
