"""Alembic's entry: runs on the connection that `upgrade` hands over, inside its one transaction."""

from alembic import context

import engine.casework.log_schema  # noqa: F401  (its tables belong to the same metadata)
from engine.casework.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
