"""What is deployed: modules for ``celery -A``, unit files and Dockerfiles."""
