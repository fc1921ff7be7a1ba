"""What a Serving needs: its children, and when traffic moves."""
