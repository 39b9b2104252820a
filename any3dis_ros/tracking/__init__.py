"""3D-aware 2D mask tracking (paper, Sec. 3.1): seeds, pivot views, prompts and the engines that follow them."""
