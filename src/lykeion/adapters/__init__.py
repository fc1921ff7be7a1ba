"""Fulfil the ports: on one machine, on object stores."""
