"""``celery -A workers.browser worker``: runs of the browser profile."""

from quarry.tasks.capacity import Profile
from quarry.tasks.fleet import make_worker_app

app = make_worker_app(Profile.BROWSER)
