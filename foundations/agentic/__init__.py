"""Agents, their models and their tools: declared, enrolled and listed like all else."""
