"""Containers on this machine: images unpacked into folders, and what runs a step in one."""
