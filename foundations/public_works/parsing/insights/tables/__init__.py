"""Insights of tables: pure functions from columns to what is worth saying of them."""
