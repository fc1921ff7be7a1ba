"""The only place that chooses adapters: `local(home)`."""
