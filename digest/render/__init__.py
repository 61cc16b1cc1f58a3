"""From an edition to the bytes of a mail: templates are compiled once, then filled for each subscriber."""
