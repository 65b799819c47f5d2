"""The data steward: data. Policy, quality, lineage, and what may enter the semantic layer."""
