"""The volume of one install as plain folders: sealed, verified, committed by one rename."""
