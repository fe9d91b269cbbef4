"""Real proxies."""
