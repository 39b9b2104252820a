"""Public data sets as their owners lay them out: ScanNet, ScanNet++, Replica, TUM RGB-D, and their ground truth."""
