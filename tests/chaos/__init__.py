"""The chaos suite: a crawl whose right answer is known, under every fault that Quarry says it survives.

``python -m tests.chaos --fault worker-kill --seed 3 --jobs 1000`` makes one run and prints its line;
``python -m tests.chaos --write docs/reliability.md`` makes the whole table.
"""
