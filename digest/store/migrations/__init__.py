"""Alembic migrations; they ship inside the package, and ``open_database`` runs them."""
