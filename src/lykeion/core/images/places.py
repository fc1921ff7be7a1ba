"""Where things lie in an image, relative to its root. The same in every image, whatever its base."""

PACKAGES = "opt/lykeion/site-packages"  # wheels, and Lykeion itself; on PYTHONPATH
SCRIPTS = "opt/lykeion/bin"  # their commands; first on PATH
PYTHON = f"{SCRIPTS}/python"  # the base's Python, by the name that servers are started with
APP = "app"  # an author's code: the pipeline's folder
VOLUME = "volume"  # what is mounted, and links to what the image brings
DOCUMENTS = "documents"  # what is mounted: which versions are served, and where
MOUNTED = (VOLUME, DOCUMENTS)  # folders that are there in every image, since on a read-only root nobody can make them
LABEL = "dev.lykeion"
