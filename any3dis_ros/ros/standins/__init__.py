"""What the ROS 2 wheels lack, for the part that the node uses: same names, same behaviour, real packages preferred.

Nothing imports from here but :mod:`any3dis_ros.ros.packages`. One set of tests runs against these and, where they are
installed, against the real packages.
"""
