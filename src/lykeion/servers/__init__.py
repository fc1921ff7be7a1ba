"""What answers requests, and the supervisor that keeps workers answering."""
