"""Settings: from the command line, the environment and a YAML file to one validated value.

Importing this package loads neither pydantic nor ruamel.yaml; ``quarry.config.load`` does.
"""

from quarry.config.settings import MaxFailures, ScriptEntry, Settings

__all__ = ["MaxFailures", "ScriptEntry", "Settings"]
