"""What the test's workers are started with: the real application, which first notes whose code it is."""

import os
from pathlib import Path

import quarry
from quarry.tasks.celery import app

Path(os.environ["UPGRADE_NOTE"]).write_text(quarry.__file__)

__all__ = ["app"]
