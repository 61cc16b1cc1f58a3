"""Papers, what announced them, and the ledger of deliveries, in one database."""
