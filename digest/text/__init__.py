"""Pure functions on text: cleaning, LaTeX, links, identities, folding."""
