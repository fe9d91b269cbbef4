"""``python -m quarry.executor``."""

from quarry.executor.main import main

if __name__ == "__main__":
    main()
