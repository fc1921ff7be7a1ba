"""Fakes of the ports and builders of values, for the tests of Lykeion and of what is built on it."""
