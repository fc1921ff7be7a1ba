"""The engine for one machine: SQLite, forked steps, supervised services. No Docker, no Kubernetes."""
