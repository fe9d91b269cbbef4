"""The child process: load a script, run its hooks, speak the wire. Knows no policy, storage or broker."""
