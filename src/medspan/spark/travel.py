"""A model folder as bytes, for workers whose machines do not have it."""

from __future__ import annotations

import io
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from medspan.model.store import CONFIG, NEEDED_FILES, PIECE_FILES, open_model

if TYPE_CHECKING:
    from collections.abc import Iterator

_DATE = (1980, 1, 1, 0, 0, 0)
_READ = (*NEEDED_FILES, "forms.onnx", *PIECE_FILES)


def packed(folder: Path) -> bytes:
    """The files of a model folder that annotating reads, as a zip archive; the same folder, the same bytes.

    Raises:
        ModelError: if the folder is damaged.
    """
    model = open_model(folder)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(CONFIG, _DATE), (model.path / CONFIG).read_bytes())
        for name in _READ:
            if name in model.spec.files:
                archive.writestr(zipfile.ZipInfo(name, _DATE), model.read(name))
    return content.getvalue()


@contextmanager
def unpacked(data: bytes) -> Iterator[Path]:
    """A folder with the files, for as long as it is needed: loading a model reads all of it."""
    with tempfile.TemporaryDirectory(prefix="medspan-") as folder:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                # Plain names only: the bytes are ours, yet nothing may be written elsewhere.
                (Path(folder) / Path(name).name).write_bytes(archive.read(name))
        yield Path(folder)
