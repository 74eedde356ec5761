"""Alembic's environment: uses the connection and the transaction that steunpunt.ledger.migrate opened."""

from alembic import context

from steunpunt.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
