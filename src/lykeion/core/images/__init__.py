"""Images: what goes into which layer, how an image is described, which are to be built."""
