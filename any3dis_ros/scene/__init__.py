"""What is given (paper, Sec. 3): posed RGB-D keyframes and the map cloud they are segmented against."""
