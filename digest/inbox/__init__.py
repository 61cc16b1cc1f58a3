"""Readers' answers and what could not be delivered, read from a mailbox; nothing here ever sends a mail."""
