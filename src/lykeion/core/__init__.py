"""The core decides. It has no I/O, clock, randomness or environment of its own: values come in, values go out."""
