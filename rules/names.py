"""The form of names that stand in rule files."""

from __future__ import annotations

import re

RULE_ID = re.compile(r"[a-z][a-z0-9_-]{0,62}\.[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
RULE_ID_FORM = "must be <domain>.<name>, lower case"
