"""Values of JSON's types as YAML text."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML


def dump_yaml(value: Any) -> str:
    """Give one YAML document, keys in their order, anything unprintable escaped."""
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.allow_unicode = True
    # Typed as None alone, where False keeps the order of keys.
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = 100
    text = io.StringIO()
    writer.dump(value, text)
    return text.getvalue()
