"""Which papers a subscriber's topics want, and why."""
