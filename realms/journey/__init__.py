"""Journeys: durable runs of templates, milestone by milestone, handoff by handoff."""
