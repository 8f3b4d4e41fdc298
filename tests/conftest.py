"""One thread per test process: xdist already gives every core one, and more would wait for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
