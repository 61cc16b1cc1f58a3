"""Models that compare texts by meaning, each behind the same port and loaded only when it is chosen."""
