"""What runs inside a step: the SDK (`base`) and the components that come with Lykeion."""
