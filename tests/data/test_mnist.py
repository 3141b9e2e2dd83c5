"""MNIST: found where it may lie, fetched from mirrors that fail, and refused when wrong. No network is used."""

from __future__ import annotations

import gzip
import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from nnctl.data.dataset import load_dataset
from nnctl.data.download import published
from nnctl.data.download.mirrors import fetch
from nnctl.data.formats.idx import read_idx
from nnctl.data.sources import mnist
from nnctl.data.sources.mnist import Mnist
from nnctl.errors import DataError

REAL = Path(__file__).parents[3] / "shared" / "data"


def idx(array):
    shape = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()


def small_mnist():
    """A set of 60 + 10 images in MNIST's form: the packed files by name."""
    rng = np.random.default_rng(0)
    files = {}
    for name in mnist.FILES.checksums:
        n = 60 if name.startswith("train") else 10
        content = rng.integers(0, 256, (n, 28, 28)) if "images" in name else np.arange(n) % 10
        files[name] = idx(content)
    return files


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine with an empty cache and nothing in NNCTL_DATA."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(published, "cache_folder", lambda name: tmp_path / "cache" / name)
    monkeypatch.delenv("NNCTL_DATA", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def write(folder, files, pack=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / (f"{name}.gz" if pack else name)).write_bytes(gzip.compress(content, 1, mtime=0) if pack else content)


class Mirrors(BaseHTTPRequestHandler):
    """/missing/ knows no file, /wrong/ gives other bytes, /cut/ half a file, /good/ the right ones."""

    files: dict[str, bytes]
    requested: list[str]

    def do_GET(self):
        mirror, name = self.path.strip("/").split("/")
        self.requested.append(self.path)
        body = gzip.compress(self.files[name.removesuffix(".gz")], 1, mtime=0)
        body = {"good": body, "cut": body[: len(body) // 2], "wrong": gzip.compress(b"wrong", mtime=0)}.get(mirror, b"")
        self.send_response(404 if mirror == "missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


@pytest.fixture
def mirrors(monkeypatch):
    """Serves the small set; call it with the mirrors' names in order."""
    files = small_mnist()
    handler = type("Handler", (Mirrors,), {"files": files, "requested": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    checksums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}

    def use(*names):
        address = f"http://127.0.0.1:{server.server_address[1]}"
        from_here = tuple(f"{address}/{name}/" for name in names)
        monkeypatch.setattr(mnist, "FILES", replace(mnist.FILES, mirrors=from_here, checksums=checksums))
        return handler.requested

    yield use
    server.shutdown()
    server.server_close()
    thread.join()


def test_fetches_past_mirrors_that_fail(mirrors, tmp_path, capsys):
    requested = mirrors("missing", "wrong", "cut", "good")
    dataset = load_dataset(Mnist(), tmp_path, 0)
    assert [len(split) for split in dataset.splits.values()] == [50, 10, 10]
    assert len(requested) == 16
    cache = tmp_path / "cache" / "mnist"
    assert sorted(p.name for p in cache.iterdir()) == sorted(f"{name}.gz" for name in mnist.FILES.checksums)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "fetching MNIST: train-images-idx3-ubyte.gz" in captured.err
    # Then it is there.
    load_dataset(Mnist(), tmp_path, 0)
    assert len(requested) == 16
    assert Mnist().where(tmp_path) == str(cache)


def test_fetch_goes_on_where_it_stopped(mirrors, tmp_path):
    requested = mirrors("good")
    files = small_mnist()
    write(tmp_path / "cache" / "mnist", {"train-images-idx3-ubyte": files["train-images-idx3-ubyte"]})
    Mnist().fetch(tmp_path)
    assert [path.rpartition("/")[2] for path in requested] == [f"{name}.gz" for name in list(mnist.FILES.checksums)[1:]]


def test_wrong_everywhere_leaves_nothing_behind(mirrors, tmp_path):
    mirrors("missing", "wrong", "cut")
    with pytest.raises(DataError) as caught:
        Mnist().fetch(tmp_path)
    message = str(caught.value)
    assert "/missing/train-images-idx3-ubyte.gz: 404 Client Error" in message
    assert "/wrong/train-images-idx3-ubyte.gz: wrong content: its MD5 is " in message
    assert "/cut/train-images-idx3-ubyte.gz: what came is damaged" in message
    assert list((tmp_path / "cache" / "mnist").iterdir()) == []


def test_offline(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "FILES", replace(mnist.FILES, mirrors=("http://127.0.0.1:9/mnist/",)))
    monkeypatch.setenv("NNCTL_DATA", str(tmp_path / "data"))
    with pytest.raises(DataError) as caught:
        load_dataset(Mnist(), tmp_path, 0)
    lines = str(caught.value).splitlines()
    assert lines[0] == "MNIST is not on this machine: train-images-idx3-ubyte.gz could not be fetched"
    assert lines[1].startswith("  http://127.0.0.1:9/mnist/train-images-idx3-ubyte.gz: ")
    assert "refused" in lines[1]
    assert lines[2:5] == [f"  looked in {tmp_path}/{place}" for place in ("data/mnist", "data", "cache/mnist")]
    assert "set NNCTL_DATA to it" in lines[6]


def test_signature_needs_no_data(tmp_path):
    assert Mnist().signature(tmp_path).input_shape == (28, 28, 1)
    assert Mnist().where(tmp_path) == "not on this machine: nnctl data fetch mnist"


@pytest.mark.parametrize("place", ["data", "data/mnist"])
@pytest.mark.parametrize("pack", [True, False])
def test_environment_variable(place, pack, tmp_path, monkeypatch):
    write(tmp_path / place, small_mnist(), pack)
    monkeypatch.setenv("NNCTL_DATA", str(tmp_path / "data"))
    assert len(load_dataset(Mnist(), tmp_path, 0).train) == 50


def test_path_and_dotted_names(tmp_path):
    files = {name.replace("-idx", ".idx"): content for name, content in small_mnist().items()}
    write(tmp_path / "mine", files, pack=False)
    dataset = load_dataset(Mnist(path="mine", validation=20, test=5, subset=7), tmp_path, 0)
    assert [len(split) for split in dataset.splits.values()] == [7, 20, 5]
    assert dataset.train.targets.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert dataset.validation.targets.tolist() == list(range(10)) * 2


def test_path_that_lacks_a_file(tmp_path):
    files = small_mnist()
    del files["t10k-labels-idx1-ubyte"]
    write(tmp_path / "mine", files)
    with pytest.raises(DataError, match=r"mine lacks t10k-labels-idx1-ubyte \(with or without \.gz\)"):
        load_dataset(Mnist(path="mine"), tmp_path, 0)


def test_swapped_files(tmp_path):
    files = small_mnist()
    labels, images = "train-labels-idx1-ubyte", "train-images-idx3-ubyte"
    write(tmp_path / "mine", files | {images: files[labels]})
    with pytest.raises(DataError, match=r"holds an array \(60,\), and images \(n, 28, 28\) are expected"):
        load_dataset(Mnist(path="mine"), tmp_path, 0)
    write(tmp_path / "mine", files | {labels: files[images]})
    with pytest.raises(DataError, match=r"and labels \(n,\) are expected"):
        load_dataset(Mnist(path="mine"), tmp_path, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing"),
        (b"PNG!", "is no IDX file: it begins with 50 4e 47 21"),
        (b"\0\0\x0a\x01\0\0\0\x01\0\0\0\0", "is no IDX file"),
        (b"\0\0\x08\x03\0\0\0\x01", "ends inside its header"),
        (b"\0\0\x08\x03\0\0\0\x01\0\0", "ends inside its header"),
        (b"\0\0\x08\x41" + b"\0\0\0\x01" * 65 + b"x", "has 65 axes, and at most 8 are read"),
        (
            b"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff12",
            r"ends early: it promises 16,777,216\.0 TiB, and holds 14 bytes",
        ),
        (b"\0\0\x08\x02\0\0\0\x10\0\0\0\x1012", "ends early: it promises 256 bytes, and holds 14"),
        (b"\0\0\x08\x01\0\0\0\x01ab", "goes on after its 1 bytes"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x01a", mtime=0)[:-6], "cannot be read: Compressed file ended"),
    ],
)
def test_broken_idx(content, message, tmp_path):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "x")


def test_cache_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="the folder for MNIST cannot be made"):
        fetch([], (), tmp_path / "file" / "mnist", "MNIST")


@pytest.mark.skipif(not (REAL / "mnist").is_dir(), reason="no MNIST beside the checkout")
def test_real_mnist(monkeypatch, tmp_path):
    monkeypatch.setenv("NNCTL_DATA", str(REAL))
    dataset = load_dataset(Mnist(), tmp_path, 0)
    assert [len(split) for split in dataset.splits.values()] == [50_000, 10_000, 10_000]
    assert dataset.train.inputs.dtype == np.uint8
    assert dataset.train.targets[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(dataset.test.targets).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # The splits of the defaults share the memory of the file: no copy of 47 MB.
    assert np.shares_memory(dataset.train.inputs.base, dataset.validation.inputs.base)
    mean = dataset.train.inputs.mean(dtype=np.float64) / 255
    assert mean == pytest.approx(0.1306, abs=5e-4)
