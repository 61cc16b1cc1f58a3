"""What comes first, and what an edition holds."""
