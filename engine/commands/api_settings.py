"""What the API is told of the settings."""

from __future__ import annotations

from engine.api.services import Settings
from engine.runtime.config import Config


def settings_of(config: Config) -> Settings:
    """Return the API's limits and addresses."""
    return Settings(
        allowed_hosts=tuple(config.allowed_hosts),
        allowed_origins=tuple(config.allowed_origins),
        trusted_proxies=tuple(config.trusted_proxies),
    )
