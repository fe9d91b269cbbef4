"""The Celery application, its one task, the pool and a worker's process.

Light on purpose: ``from quarry.tasks.app import make_app`` loads Celery, this does not. ``celery -A
quarry.tasks`` finds ``quarry.tasks.celery``.
"""
