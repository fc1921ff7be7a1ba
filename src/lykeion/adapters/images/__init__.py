"""Images as files: layers, the store that holds them, what is put into them."""
