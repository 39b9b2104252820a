"""any3dis_replay: plays a bag to the node as a robot would; a client of the node, no part of it."""
