"""Picture files as arrays: Pillow's modes, transparency, 16 bits, turns; alike in training and in prediction."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import PIL
import pytest
from picture_files import png16, tiff16
from PIL import Image

from nnctl.data.dataset import load_dataset
from nnctl.data.formats.images import read_image
from nnctl.data.pictures import PictureOptions
from nnctl.data.sources.digits import Digits
from nnctl.data.sources.images import Images
from nnctl.errors import DataError
from nnctl.inference.inputs import read_parts

COLOURS = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (4, 6, 4)).astype(np.uint16)
ORIENTATION = 0x0112


def saved(folder: Path, name: str, image: Image.Image | bytes, **how: object) -> Path:
    for place in ("photos/cat", "photos/dog"):
        (folder / place).mkdir(parents=True, exist_ok=True)
        path = folder / place / name
        if isinstance(image, bytes):
            path.write_bytes(image)
        else:
            image.save(path, **how)
    return path


def both(folder: Path, path: Path, **fields: object) -> np.ndarray:
    """The picture as training reads it, (height, width, channels), and the same as prediction reads it."""
    source = Images(path="photos", **fields)
    dataset = load_dataset(source, folder, 0)
    assert dataset.signature == source.signature(folder)
    (part,) = read_parts(path, dataset.signature, pictures=source.picture_options)
    assert part.inputs.dtype == dataset.train.inputs.dtype
    np.testing.assert_array_equal(part.inputs[0], dataset.train.inputs[0])
    np.testing.assert_array_equal(part.inputs[0], dataset.train.inputs[1])
    return part.inputs[0]


def luma(colours: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(colours).convert("L"))


@pytest.mark.parametrize("grayscale", [False, True])
@pytest.mark.parametrize(
    ("mode", "name"),
    [("RGB", "a.png"), ("L", "a.png"), ("1", "a.png"), ("P", "a.gif"), ("CMYK", "a.tif"), ("YCbCr", "a.tif")],
)
def test_modes_of_eight_bits(mode: str, name: str, grayscale: bool, tmp_path: Path) -> None:
    if (mode, name) == ("YCbCr", "a.tif") and int(PIL.__version__.partition(".")[0]) < 13:
        pytest.skip("this Pillow calls such a file cut short")
    image = Image.fromarray(COLOURS).convert(mode)
    found = both(tmp_path, saved(tmp_path, name, image), grayscale=grayscale)
    expected = np.asarray(image.convert("RGB"))
    if grayscale:
        expected = luma(expected)[..., None]
    np.testing.assert_array_equal(found, expected)


def test_cmyk_of_print_is_colour(tmp_path: Path) -> None:
    inks = np.full((8, 8, 4), (0, 255, 255, 0), dtype=np.uint8)
    found = both(tmp_path, saved(tmp_path, "a.jpg", Image.fromarray(inks, "CMYK"), quality=95))
    assert np.abs(found.astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("grayscale", [False, True])
def test_lab_is_colour(grayscale: bool, tmp_path: Path) -> None:
    # Lightness 53.2, a 80.1, b 67.2 is the red of sRGB.
    path = saved(tmp_path, "a.tif", Image.new("LAB", (2, 2), (136, 208, 195)))
    red = [76] if grayscale else [255, 0, 0]
    assert np.abs(both(tmp_path, path, grayscale=grayscale).astype(int) - red).max() <= 12


GROUNDS = [("white", (255, 255, 255)), ("black", (0, 0, 0)), (128, (128, 128, 128)), ((10, 20, 30), (10, 20, 30))]


@pytest.mark.parametrize(("background", "ground"), GROUNDS)
def test_transparency_lies_on_its_ground(background: object, ground: tuple[int, ...], tmp_path: Path) -> None:
    alpha = np.arange(24, dtype=np.uint8).reshape(4, 6, 1) * 11
    path = saved(tmp_path, "a.png", Image.fromarray(np.concatenate([COLOURS, alpha], axis=2)))
    found = both(tmp_path, path, background=background)
    share = alpha / 255
    expected = COLOURS * share + np.array(ground) * (1 - share)
    assert np.abs(found - expected).max() <= 1
    np.testing.assert_array_equal(found[0, 0], ground)
    with pytest.raises(DataError, match=r"a\.png is transparent .*\n  give data the field background: white"):
        load_dataset(Images(path="photos"), tmp_path, 0)


def test_transparency_of_other_modes(tmp_path: Path) -> None:
    grey = np.stack([COLOURS[..., 0], np.where(np.eye(4, 6), 0, 255).astype(np.uint8)], axis=2)
    palette = Image.fromarray(COLOURS).quantize(8)
    pictures = {
        "la.png": (Image.fromarray(grey, "LA"), {}),
        "p.png": (palette, {"transparency": 3}),
        "p.gif": (palette, {"transparency": 3}),
        "rgb.png": (Image.fromarray(COLOURS), {"transparency": tuple(COLOURS[0, 0].tolist())}),
        "l.png": (Image.fromarray(COLOURS[..., 0]), {"transparency": int(COLOURS[0, 0, 0])}),
        "rgba.webp": (Image.fromarray(COLOURS).convert("RGBA"), {"lossless": True, "exact": True}),
    }
    pictures["rgba.webp"][0].putpixel((0, 0), (1, 2, 3, 0))
    for name, (image, how) in pictures.items():
        shutil.rmtree(tmp_path / "photos", ignore_errors=True)
        path = saved(tmp_path, name, image, **how)
        with pytest.raises(DataError, match="is transparent in places"):
            load_dataset(Images(path="photos"), tmp_path, 0)
        with Image.open(path) as again:
            layer = np.asarray(again.convert("RGBA"))
        clear = layer[..., 3] == 0
        assert 0 < clear.sum() < clear.size
        expected = np.where(clear[..., None], (9, 8, 7), layer[..., :3])
        np.testing.assert_array_equal(both(tmp_path, path, background=(9, 8, 7)), expected, err_msg=name)


def test_an_alpha_channel_that_hides_nothing_needs_no_ground(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.png", Image.fromarray(COLOURS).convert("RGBA"))
    np.testing.assert_array_equal(both(tmp_path, path), COLOURS)


def test_greys_are_mixed_before_they_are_resized(tmp_path: Path) -> None:
    halves = np.zeros((2, 2, 4), dtype=np.uint8)
    halves[:, 0] = (0, 0, 0, 255)
    path = saved(tmp_path, "a.png", Image.fromarray(halves))
    assert both(tmp_path, path, background="white", grayscale=True, size=(1, 1)).tolist() == [[[128]]]


KINDS = {
    "png, grey": (1, png16, ".png"),
    "png, grey with alpha": (2, png16, ".png"),
    "png, colour": (3, png16, ".png"),
    "png, colour with alpha": (4, png16, ".png"),
    "tiff, grey": (1, tiff16, ".tif"),
    "tiff, grey, high byte first": (1, lambda s: tiff16(s, ">"), ".tif"),
    "tiff, grey, packed": (1, lambda s: tiff16(s, packed=True), ".tif"),
    "tiff, white is 0": (1, lambda s: tiff16(65535 - s, photometric=0), ".tif"),
    "tiff, colour": (3, tiff16, ".tif"),
    "tiff, colour, high byte first": (3, lambda s: tiff16(s, ">"), ".tif"),
    "tiff, colour, packed": (3, lambda s: tiff16(s, packed=True), ".tif"),
    "tiff, colour, packed, high byte first": (3, lambda s: tiff16(s, ">", packed=True), ".tif"),
    "tiff, colour with alpha": (4, tiff16, ".tif"),
    "pgm": (1, lambda s: b"P5 6 4 65535\n" + s.astype(">u2").tobytes(), ".pgm"),
    "ppm": (3, lambda s: b"P6 6 4 65535\n" + s.astype(">u2").tobytes(), ".ppm"),
}


@pytest.mark.parametrize("grayscale", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_sixteen_bits_are_kept(kind: str, grayscale: bool, tmp_path: Path) -> None:
    channels, make, suffix = KINDS[kind]
    samples = DEEP[..., :channels]
    found = both(tmp_path, saved(tmp_path, f"a{suffix}", make(samples)), background="white", grayscale=grayscale)
    expected = samples / 65535
    if channels in (2, 4):
        expected = expected[..., :-1] * expected[..., -1:] + 1 - expected[..., -1:]
    if grayscale and channels > 2:
        expected = expected @ [[0.299], [0.587], [0.114]]
    assert found.dtype == np.float32
    assert found.shape[2] == (1 if grayscale else 3)
    # A step of 16 bits is 1.5e-5; the weights of luma are those of 8 bits, rounded to 1/65536.
    assert np.abs(found - expected).max() < (1.5e-5 if grayscale and channels > 2 else 2e-7)


def test_other_depths_up_to_sixteen_bits(tmp_path: Path) -> None:
    samples = np.arange(24).reshape(4, 6, 1) * 43
    for name, content in (("a.pgm", b"P5 6 4 1000\n"), ("a.ppm", b"P6 6 4 1000\n")):
        shutil.rmtree(tmp_path / "photos", ignore_errors=True)
        pixels = np.repeat(samples, 3, axis=2) if name.endswith("ppm") else samples
        found = both(tmp_path, saved(tmp_path, name, content + pixels.astype(">u2").tobytes()), grayscale=True)
        np.testing.assert_allclose(found, samples / 1000, atol=1.5e-5)


def test_one_colour_of_sixteen_bits_is_transparent(tmp_path: Path) -> None:
    samples = DEEP[..., :3].copy()
    # Of equal high bytes, which 8 bits would not tell apart.
    samples[0, 0], samples[0, 1] = (256, 512, 768), (257, 512, 768)
    path = saved(tmp_path, "a.png", png16(samples, (256, 512, 768)))
    found = both(tmp_path, path, background="white")
    assert found[0, 0].tolist() == [1, 1, 1]
    np.testing.assert_allclose(found[0, 1], np.array([257, 512, 768]) / 65535, atol=1e-7)
    with pytest.raises(DataError, match="is transparent in places"):
        read_image(path, PictureOptions())


def test_mixed_depths_want_the_word(tmp_path: Path) -> None:
    saved(tmp_path, "a.png", Image.fromarray(COLOURS))
    path = saved(tmp_path, "b.png", png16(DEEP[..., :3]))
    with pytest.raises(DataError, match=r"cat/b\.png has 16 bits a channel, and .*cat/a\.png has 8\n  bits: 16"):
        load_dataset(Images(path="photos"), tmp_path, 0)
    for bits in (8, 16):
        source = Images(path="photos", bits=bits)
        train = load_dataset(source, tmp_path, 0).train.inputs
        levels = train * (1.0 if bits == 8 else 255.0)
        np.testing.assert_allclose(levels[0], COLOURS, atol=1e-4)
        np.testing.assert_allclose(levels[1], DEEP[..., :3] / 257, atol=0.5 if bits == 8 else 1e-4)
        (part,) = read_parts(path, source.signature(tmp_path), pictures=source.picture_options)
        np.testing.assert_array_equal(part.inputs[0], train[1])


def test_prediction_is_as_strict_about_depth(tmp_path: Path) -> None:
    shallow = saved(tmp_path / "8", "a.png", Image.fromarray(COLOURS))
    deep = saved(tmp_path / "16", "a.png", png16(DEEP[..., :3]))
    for folder, other, bits in (("8", deep, 16), ("16", shallow, 8)):
        source = Images(path="photos")
        signature = source.signature(tmp_path / folder)
        with pytest.raises(DataError, match=rf"a\.png has {bits} bits a channel, and the net was not trained on such"):
            list(read_parts(other, signature, pictures=source.picture_options))
    with pytest.raises(DataError, match="save it with 8 bits a channel"):
        list(read_parts(deep, Digits().signature(tmp_path), pictures=Digits().picture_options))


def test_sixteen_bits_are_resized_as_eight_are(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.png", png16(COLOURS.astype(np.uint16) * 257))
    shallow = saved(tmp_path / "8", "a.png", Image.fromarray(COLOURS))
    found = both(tmp_path, path, size=(2, 3))
    assert np.abs(found * 255 - read_image(shallow, PictureOptions(size=(2, 3)))).max() <= 1


@pytest.mark.parametrize(
    ("image", "name", "words"),
    [
        (Image.new("F", (2, 2)), "a.tif", "holds floating-point numbers, of which none says what white is"),
        (Image.new("I", (2, 2)), "a.tif", "holds signed numbers, or of 32 bits"),
        (b"P3 1 1 65535\n1 2 3\n", "a.ppm", "has more than 8 bits a channel in a way that is not read"),
        (tiff16(DEEP, photometric=5), "a.tif", r"in a way that is not read \(CMYK;16"),
    ],
)
def test_numbers_that_are_no_levels(image: Image.Image | bytes, name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        read_image(saved(tmp_path, name, image), PictureOptions())


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
def test_pictures_are_turned_as_telephones_say(name: str, tmp_path: Path) -> None:
    image = Image.fromarray(np.repeat(np.repeat(COLOURS // 128 * 255, 16, axis=0), 16, axis=1))
    for orientation, turned in ((1, 0), (6, -1), (8, 1), (3, 2)):
        shutil.rmtree(tmp_path / "photos", ignore_errors=True)
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        lossless = {"lossless": True} if name.endswith("webp") else {}
        found = both(tmp_path, saved(tmp_path, name, image, exif=exif, **lossless))
        expected = np.rot90(np.asarray(image), turned)
        assert found.shape == expected.shape
        assert np.abs(found.astype(int) - expected).mean() < (40 if name.endswith("jpg") else 0.1)


def test_deep_pictures_are_turned_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    image = Image.fromarray(DEEP[..., 0])
    found = both(tmp_path, saved(tmp_path, "a.png", image, exif=exif), grayscale=True)
    np.testing.assert_allclose(found[..., 0], np.rot90(DEEP[..., 0], -1) / 65535, atol=1e-6)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.tif", "a.webp"])
def test_several_pictures_in_a_file_are_asked_about(name: str, tmp_path: Path) -> None:
    first, second = Image.new("RGB", (3, 2), (255, 0, 0)), Image.new("RGB", (3, 2), (0, 0, 255))
    how = {"lossless": True} if name.endswith("webp") else {}
    path = saved(tmp_path, name, first, save_all=True, append_images=[second], **how)
    with pytest.raises(DataError, match="holds several pictures\n  give data the field frames: first"):
        load_dataset(Images(path="photos"), tmp_path, 0)
    np.testing.assert_array_equal(both(tmp_path, path, frames="first"), np.asarray(first))


def test_a_photograph_with_a_preview_behind_it_is_one_picture(tmp_path: Path) -> None:
    photograph, preview = Image.new("RGB", (16, 8), (255, 0, 0)), Image.new("RGB", (4, 2))
    path = tmp_path / "photos/cat/a.jpg"
    saved(tmp_path, "a.jpg", photograph, format="MPO", save_all=True, append_images=[preview])
    assert both(tmp_path, path).shape == (8, 16, 3)


def test_a_picture_of_one_pixel(tmp_path: Path) -> None:
    assert both(tmp_path, saved(tmp_path, "a.png", Image.new("RGB", (1, 1), (1, 2, 3)))).tolist() == [[[1, 2, 3]]]


def test_threads_read_what_one_reads(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.png", png16(DEEP))
    read = partial(read_image, options=PictureOptions(size=(3, 3), background=(0, 9, 99)))
    with ThreadPoolExecutor(2) as threads:
        for found in threads.map(read, [path] * 16):
            np.testing.assert_array_equal(found, read(path))
