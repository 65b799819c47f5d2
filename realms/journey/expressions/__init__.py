"""Expressions of the journey language: compiled and checked once, then only computed."""
