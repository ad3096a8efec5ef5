"""Targets: transforms of counts that methods are trained towards."""
