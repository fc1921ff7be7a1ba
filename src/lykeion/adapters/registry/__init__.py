"""Image registries: the client, who one is there, pushing and pulling."""
