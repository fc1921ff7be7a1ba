"""The versioned model repository on any object store."""
