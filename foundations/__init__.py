"""The four foundations, in boot order: public works, curator, agentic, experience."""
