"""Where tracked objects will be."""
