from zipfile import ZipFile

import numpy as np
import pytest

from agtopt import InvalidInputError, MissingFileError
from agtopt.readers.datasets import read_household

HEADER = (
    "Date;Time;Global_active_power;Global_reactive_power;Voltage;Global_intensity;"
    "Sub_metering_1;Sub_metering_2;Sub_metering_3"
)
ROWS = [
    "16/12/2006;17:24:00;4.216;0.418;234.840;18.400;0.000;1.000;17.000",
    "16/12/2006;17:25:00;5.360;0.436;233.630;23.000;0.000;1.000;16.000",
    "28/4/2007;00:21:00;?;?;?;?;?;?;",
    "03/01/2007;00:07:00;0.200;0.100;240.000;1.000;2.000;3.000;4.000",
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "household_power_consumption.txt"
    path.write_text("\n".join([HEADER, *ROWS]) + "\n")
    return path


def test_rows_become_eleven_features_and_the_power(file):
    split = read_household(file, test=0.3)
    assert (len(split.train), len(split.test)) == (2, 1)
    rows = {
        row[-1]: row[:-1]
        for part in (split.train, split.test)
        for row in np.c_[part.features, part.labels].tolist()
    }
    assert rows == {
        4.216: [2006, 12, 16, 17, 24, 0.418, 234.84, 18.4, 0, 1, 17],
        5.36: [2006, 12, 16, 17, 25, 0.436, 233.63, 23.0, 0, 1, 16],
        0.2: [2007, 1, 3, 0, 7, 0.1, 240.0, 1.0, 2, 3, 4],
    }
    assert split.features[2:6] == ("day", "hour", "minute", "Global_reactive_power (kW)")
    assert len(split.features) == 11


def test_the_folder_and_a_zip_file_do_as_well(file, tmp_path):
    packed = tmp_path / "packed" / "household_power_consumption.zip"
    packed.parent.mkdir()
    with ZipFile(packed, "w") as archive:
        archive.write(file, file.name)
    for path in (file.parent, packed, packed.parent):
        np.testing.assert_array_equal(
            read_household(path).train.features, read_household(file).train.features
        )


def test_rows_are_drawn_with_a_seed(file):
    first, again = (read_household(file, rows=2, test=0.5, seed=1) for _ in range(2))
    assert len(first.train) == len(first.test) == 1
    np.testing.assert_array_equal(first.train.features, again.train.features)
    with pytest.raises(InvalidInputError, match="3 complete rows"):
        read_household(file, rows=4)


def test_what_is_wrong_is_said(file, tmp_path):
    with pytest.raises(
        MissingFileError, match=r"household_power_consumption.txt.*archive.ics.uci.edu"
    ):
        read_household(tmp_path / "nowhere")
    file.write_text(HEADER.replace("Voltage", "Volt") + "\n" + ROWS[0])
    with pytest.raises(InvalidInputError, match="no column 'Voltage'"):
        read_household(file)
    file.write_text("\n".join([HEADER, ROWS[0], ROWS[1].replace("16/12/2006", "12/16/2006")]))
    with pytest.raises(InvalidInputError, match="dd/mm/yyyy"):
        read_household(file)
    file.write_text("\n".join([HEADER, ROWS[0], ROWS[1].replace("0.436", "much")]))
    with pytest.raises(InvalidInputError, match="number"):
        read_household(file)
    file.write_text("\n".join([HEADER, *(row + ";1.000" for row in ROWS[:2])]))
    with pytest.raises(InvalidInputError, match="Length of header"):
        read_household(file)
    file.write_text("\n".join([HEADER, *ROWS[2:]]))
    with pytest.raises(InvalidInputError, match="1 complete rows"):
        read_household(file)
    file.write_bytes(b"\xff\xfe\xfd\x00")
    with pytest.raises(InvalidInputError):
        read_household(file)
