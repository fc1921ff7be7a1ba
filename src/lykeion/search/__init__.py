"""The search engine in process: spaces, extractors, indexes. `open(path).search(vectors, k)`."""
