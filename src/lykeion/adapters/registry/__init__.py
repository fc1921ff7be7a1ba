"""Image registries: the client, who one is there, pushing and pulling."""

REGISTRY = "LYKEION_REGISTRY"  # HOST[:PORT][/PREFIX]: below it lie the images that are pushed
