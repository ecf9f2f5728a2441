"""`get` against a local server that serves source files rebuilt from a shared copy of the corpora."""

from __future__ import annotations

import gzip
import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from medspan.corpora import find_entry
from medspan.corpora.catalogue import damaged_files
from medspan.corpora.convert import DOCUMENT_LINE, SOURCES, convert, pack, recorded_documents
from medspan.corpora.get import CannotGetError, get, source_address
from medspan.corpora.places import user_corpora_dir
from medspan.errors import DataError, UsageError

# Length in characters of every file of the pinned repositories, as a public index of them states it.
# What `as_source` rebuilds has these lengths, so the real files differ from it at most letter for letter.
SOURCE_LENGTHS = {
    "ner/NCBI-disease": (1137445, 200352, 205664),
    "ner/BC5CDR": (1039940, 1031781, 1080717),
    "ner/BC2GM": (2894167, 577660, 1165057),
    "ner/linnaeus": (2088795, 696409, 1228864),
    "ner/AnatEM": (1280190, 480960, 833816),
    "ner/BioNLP13CG": (943120, 316312, 593469),
    "ner/JNLPBA": (4167296, 437962, 934947),
    "ner/S800": (1168560, 174262, 333706),
}


def as_source(name: str, stem: str, packed: bytes) -> bytes:
    """The inverse of the conversion."""
    text = gzip.decompress(packed).decode()
    documents = recorded_documents().get(name, {}).get(stem)
    if documents and documents.sentences:
        text = text.replace(f"{DOCUMENT_LINE}\n\n", "")
    for theirs, ours in SOURCES[name].labels.items():
        text = text.replace(f"-{ours}\n", f"-{theirs}\n" if theirs else "\n")
    return text.encode()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


@pytest.fixture
def server(tmp_path):
    """Address and folder of a web server of this machine."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", folder
        http.shutdown()
        thread.join()


def serve(folder: Path, corpora_dir: Path, name: str) -> None:
    for stem, path in SOURCES[name].files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(as_source(name, stem, (corpora_dir / name / f"{stem}.conll.gz").read_bytes()))


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_file_has_the_digest_of_the_catalogue(name, server, corpora_dir, tmp_path):
    address, folder = server
    serve(folder, corpora_dir, name)
    lengths = tuple(
        (folder / SOURCES[name].files[stem]).stat().st_size for stem in ("train", "devel", "test")
    )
    assert lengths == SOURCE_LENGTHS[name]

    root = tmp_path / "corpora"
    assert get(name, root, base=address) == root / name
    for file in find_entry(name).files:
        content = (root / file.path).read_bytes()
        if content == (corpora_dir / file.path).read_bytes():
            assert hashlib.sha256(content).hexdigest() == file.sha256
        else:  # only where this machine's zlib packs the same text otherwise than the maker's did
            shared = (corpora_dir / file.path).read_bytes()
            assert pack(gzip.decompress(shared)) != shared
            assert hashlib.sha256(gzip.decompress(content)).hexdigest() == file.unpacked_sha256
    told = []
    get(name, root, tell=told.append)  # whole: nothing is fetched
    assert "already" in told[0]


def test_a_damaged_file_is_fetched_anew(server, corpora_dir, tmp_path):
    address, folder = server
    serve(folder, corpora_dir, "ner/NCBI-disease")
    get("NCBI-disease", tmp_path, base=str(folder))
    victim = tmp_path / "ner/NCBI-disease/test.conll.gz"
    victim.write_bytes(b"")
    get("NCBI-disease", tmp_path, base=address)
    assert not damaged_files(find_entry("ner/NCBI-disease"), tmp_path)
    assert [path.name for path in (tmp_path / "ner").iterdir()] == ["NCBI-disease"]


def test_a_changed_source_is_refused_and_nothing_written(server, corpora_dir, tmp_path):
    address, folder = server
    serve(folder, corpora_dir, "ner/S800")
    source = folder / SOURCES["ner/S800"].files["test"]
    source.write_bytes(source.read_bytes().replace(b"\nthe\t", b"\nteh\t", 1))
    with pytest.raises(DataError, match="wrong digest"):
        get("ner/S800", tmp_path / "root", base=address)
    assert not (tmp_path / "root").exists()


def test_an_address_that_does_not_answer_says_what_to_do(server, tmp_path):
    address, _ = server
    with pytest.raises(DataError, match=r"404.*MEDSPAN_DATA"):
        get("ner/S800", tmp_path, base=address)
    with pytest.raises(DataError, match=r"cannot be fetched.*--from FOLDER"):
        get("ner/S800", tmp_path, base="http://127.0.0.1:9")
    with pytest.raises(DataError, match="the folder must hold the repository"):
        get("ner/S800", tmp_path, base=str(tmp_path / "nowhere"))


@pytest.mark.parametrize("base", ["http://example.org", "ftp://example.org", "file:///etc"])
def test_only_https(base, tmp_path):
    with pytest.raises(UsageError, match="only https"):
        get("ner/S800", tmp_path, base=base)


def test_addresses_are_pinned_to_a_commit():
    for name in SOURCES:
        for stem in SOURCES[name].files:
            parts = source_address(find_entry(name), stem).split("/")
            assert parts[:3] == ["https:", "", "raw.githubusercontent.com"]
            assert len(parts[5]) == 40
    address = source_address(find_entry("ner/NCBI-disease"), "test")
    assert address == (
        "https://raw.githubusercontent.com/cambridgeltl/MTL-Bioinformatics-2016/"
        "df0df02fae6dbb87d88ffcf323b9096528f06f84/data/NCBI-disease-IOB/test.tsv"
    )


def test_other_corpora_say_licence_source_and_format():
    with pytest.raises(
        CannotGetError, match=r"CC BY-NC 4\.0.*github\.com/hltfbk/E3C-Corpus/tree/8196181eac.*jsonl"
    ):
        get("standoff/e3c-en")
    with pytest.raises(DataError, match=r"did you mean .*AnatEM"):
        get("AnatEN")


@pytest.mark.parametrize(
    ("source", "converted"),
    [
        (b"a\tO\n\n", "a\tO\n\n"),
        (b"a\tI\nb\tI\n\nc\tB\n\n", "a\tB-Species\nb\tI-Species\n\nc\tB-Species\n\n"),  # made valid
        (b"a\tO\r\nb\tB\r\n\r\n\r\n", "a\tO\nb\tB-Species\n\n"),
        ("\u0085\tO\n\u2028\tB\n".encode(), "\u0085\tO\n\u2028\tB-Species\n\n"),
        (b"", ""),
    ],
)
def test_conversion(source, converted):
    files = convert("ner/S800", "test", source)
    assert list(files) == ["test.conll.gz"]
    assert gzip.decompress(files["test.conll.gz"]).decode() == converted


@pytest.mark.parametrize("source", [b"a O\n", b"\tO\n", b"a\tX\n", b"<html>404</html>", b"a\xff\tO\n"])
def test_a_source_of_another_form_is_refused(source):
    with pytest.raises(DataError, match=r"shreyashub/BioFLAIR: data/ner/s800/test\.tsv"):
        convert("ner/S800", "test", source)


def test_a_source_with_too_few_sentences_is_refused():
    with pytest.raises(DataError, match="1 sentences where 940 are known"):
        convert("ner/NCBI-disease", "test", b"a\tO\n\n")


@pytest.mark.parametrize(
    ("environment", "platform", "folder"),
    [
        ({"XDG_DATA_HOME": "/x"}, "win32", "/x/medspan/corpora"),
        ({}, "linux", str(Path.home() / ".local/share/medspan/corpora")),
        ({}, "darwin", str(Path.home() / "Library/Application Support/medspan/corpora")),
        ({"LOCALAPPDATA": "/l"}, "win32", "/l/medspan/corpora"),
    ],
)
def test_user_folder(environment, platform, folder):
    assert user_corpora_dir(environment, platform) == Path(folder)
