import numpy as np
import pytest
from PIL import Image

from agtopt import InvalidInputError, MissingFileError
from agtopt.readers.datasets import read_driving

HEADER = "center,left,right,steering,throttle,brake,speed"


@pytest.fixture
def drive(tmp_path):
    """Five images, the upper half grey of another level, the lower half red."""
    (tmp_path / "IMG").mkdir()
    lines = []
    for k in range(5):
        pixels = np.zeros((20, 40, 3), dtype=np.uint8)
        pixels[:10], pixels[10:] = 50 * k, (255, 0, 0)
        Image.fromarray(pixels).save(tmp_path / "IMG" / f"center_{k}.png")
        Image.fromarray(255 - pixels).save(tmp_path / "IMG" / f"left_{k}.png")
        lines.append(
            f"C:\\drives\\IMG\\center_{k}.png, IMG/left_{k}.png, none.png, {0.1 * k - 0.2:.1f}, 1, "
            f"0, 30"
        )
    (tmp_path / "driving_log.csv").write_text("\n".join(lines))
    return tmp_path, lines


def grey(level):
    return level / 127.5 - 1


@pytest.mark.parametrize("header", [True, False])
def test_images_in_yuv_and_angles_in_order(drive, header):
    folder, lines = drive
    (folder / "driving_log.csv").write_text("\n".join([HEADER] * header + lines))
    split = read_driving(folder, size=(2, 4), test=0.4)
    assert split.train.features.shape == (3, 3, 2, 4)
    np.testing.assert_allclose(
        [*split.train.labels, *split.test.labels], [-0.2, -0.1, 0.0, 0.1, 0.2], atol=1e-12
    )
    images = np.concatenate([split.train.features, split.test.features])
    upper = images[:, :, 0, 1]
    np.testing.assert_allclose(
        upper[:, 0], [grey(50 * k) for k in range(5)], atol=0.35
    )  # bilinear: a little of the red is mixed in
    crop = read_driving(folder, size=(1, 1), crop=(0, 10), test=0.4)
    np.testing.assert_allclose(
        crop.train.features[:, :, 0, 0],
        [[grey(50 * k), grey(128), grey(128)] for k in range(3)],
        atol=0.01,
    )
    red = read_driving(folder, size=(1, 1), crop=(10, 0), rows=2, test=0.5).train.features[
        0, :, 0, 0
    ]
    np.testing.assert_allclose(
        red, [grey(0.299 * 255), grey(128 - 0.168736 * 255), grey(255)], atol=0.01
    )


def test_the_default_is_what_pilotnet_takes(drive):
    split = read_driving(drive[0], camera="left")
    assert split.train.features.shape == (4, 3, 66, 200)
    assert split.train.features[0].size == 39600


def test_the_table_of_the_car(drive, tmp_path):
    folder, _ = drive
    rows = [
        f"{k},{10 * k},640,480,{side}_camera,IMG/{side}_{k}.png,{0.01 * k},0,9.5,37,-122,1"
        for k in range(5)
        for side in ("left", "center")
    ]
    (folder / "driving_log.csv").unlink()
    header = "index,timestamp,width,height,frame_id,filename,angle,torque,speed,lat,long,alt"
    (folder / "interpolated.csv").write_text("\n".join([header, *rows]))
    split = read_driving(folder, size=(1, 1), crop=(0, 10), test=0.2)
    np.testing.assert_allclose(split.train.labels, [0.0, 0.01, 0.02, 0.03])
    np.testing.assert_allclose(
        split.train.features[:, 0, 0, 0], [grey(50 * k) for k in range(4)], atol=0.01
    )


def test_what_is_wrong_is_said(drive):
    folder, lines = drive
    table = folder / "driving_log.csv"
    with pytest.raises(MissingFileError, match=r"none\.png"):
        read_driving(folder, camera="right")
    with pytest.raises(InvalidInputError, match="camera"):
        read_driving(folder, camera="rear")
    with pytest.raises(InvalidInputError, match="crop"):
        read_driving(folder, crop=(10, 10))
    (folder / "IMG" / "center_0.png").write_bytes(b"no image")
    with pytest.raises(InvalidInputError, match=r"center_0.png.*image"):
        read_driving(folder)
    for text, said in (
        ("a,b\n1,2", "needed are center and steering"),
        (f"{HEADER}\n{lines[0].replace('-0.2', 'left')}", "not a column of numbers"),
        (f"{HEADER}\n{lines[0]}", "1 rows"),
        (f"{HEADER}\n{lines[0]},1\n{lines[1]},2", "Length of header"),
        ("", "table"),
    ):
        table.write_text(text)
        with pytest.raises(InvalidInputError, match=said):
            read_driving(folder)
    table.unlink()
    with pytest.raises(MissingFileError, match=r"driving_log.csv or interpolated.csv"):
        read_driving(folder)
