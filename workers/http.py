"""``celery -A workers.http worker``: runs of the http profile."""

from quarry.tasks.capacity import Profile
from quarry.tasks.fleet import make_worker_app

app = make_worker_app(Profile.HTTP)
