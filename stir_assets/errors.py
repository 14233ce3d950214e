"""Every error Stir raises on purpose.

Two families, so that callers (and the scheduler) need not know drivers: `TransientError` may succeed when
tried again, `PermanentError` will not until somebody changes something. A message says what failed, on
which object, and what to do next. Imports nothing.
"""


class StirError(Exception):
    """Base of all errors of this package."""


class TransientError(StirError):
    """May succeed when tried again: an engine was busy, away or slow."""


class PermanentError(StirError):
    """Will fail again until a person changes the input, the declaration or the environment."""


class ConfigError(PermanentError):
    """A setting or a declaration is missing or wrong; the message names it."""
