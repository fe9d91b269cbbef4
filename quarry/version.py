"""The two version constants of the project."""

__version__ = "0.1.0"
"""Version of the distribution ``quarry-crawler``."""

CONTRACT_VERSION = "1.0"
"""Version of the emit and wire contracts; raised when they change, not with each release."""
