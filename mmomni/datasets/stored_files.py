"""Images and masks of the disk, of LMDBs and of any other storage, read within limits."""

from pathlib import Path

from mmomni.jpeg.guarded import check_image, read_image_file


def read_bytes(path: str | Path, backend_args: dict | None = None) -> bytes:
    """A whole image file, of the disk or of any storage backend of mmengine (``lmdb://...``).

    Args:
        path: Of the file.
        backend_args: Those of :mod:`mmengine.fileio`.

    Raises:
        ImageReadError: It is no regular file, or beyond a limit of bytes, pixels or scans.
        OSError: There is no such file, or it cannot be read.
    """
    path = str(path)
    if backend_args is None and '://' not in path:
        return read_image_file(path)
    from mmengine import fileio

    from . import lmdb_files  # noqa: F401  (registers lmdb://)

    backend = fileio.get_file_backend(path, backend_args=backend_args, enable_singleton=True)
    if isinstance(backend, fileio.LocalBackend):
        return read_image_file(path)
    data = backend.get(path)
    check_image(data, path)
    return data
