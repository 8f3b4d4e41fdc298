"""One thread per test process: xdist gives every core a process; more would wait for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
