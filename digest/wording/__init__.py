"""Optional: a language model writes one-sentence summaries, and titles and summaries in a reader's language."""
