"""The application that ``celery -A quarry.tasks`` finds: its workers serve runs of every profile."""

from quarry.tasks.capacity import Profile
from quarry.tasks.fleet import make_worker_app

# The one object at module level: `celery -A` can name nothing but an attribute of a module. Nothing else
# imports this one; code that needs an app calls make_app.
app = make_worker_app(Profile.ALL)
