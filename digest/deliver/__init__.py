"""Hands messages over, one at a time, and records what became of each."""
