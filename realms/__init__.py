"""What users come for. A realm imports another realm only through its `api` module."""
