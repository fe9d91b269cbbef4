"""One crawl, end to end: seed, execute a delivery, commit, adopt, finish."""
