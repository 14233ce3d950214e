from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from stir_assets.importers.cleaning import Notes
from stir_assets.importers.rows import FIELD_LIMIT, CsvFile, UnreadableFileError


def rows_of(path: Path, notes: Notes | None = None) -> list[tuple[int, list[str]]]:
    return list(CsvFile(path).rows(notes if notes is not None else Notes()))


def written(folder: Path, data: bytes, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_line_numbers_are_physical_lines_also_with_line_breaks_in_quotes(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbfa,b\r\n1,"x\r\ny\rz"\r\n\r\n2,"p\nq"\r\n3,r\r\n'
    assert rows_of(written(tmp_path, data)) == [
        (1, ["a", "b"]),
        (2, ["1", "x\r\ny\rz"]),
        (5, ["2", "p\nq"]),
        (7, ["3", "r"]),
    ]


def test_gzip_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    assert rows_of(written(tmp_path, gzip.compress(b"a,b\n1,2\n"))) == [(1, ["a", "b"]), (2, ["1", "2"])]


def test_quotes_closed_in_the_middle_of_a_field_are_read(tmp_path: Path) -> None:
    data = b'id,tags,n\nx,"Raptor"|"moi",7\n'
    assert rows_of(written(tmp_path, data))[1] == (2, ["x", 'Raptor|"moi"', "7"])


def test_bytes_that_are_no_utf8_are_read_as_cp1252_and_counted(tmp_path: Path) -> None:
    notes = Notes()
    rows = rows_of(written(tmp_path, b"a\n#money\xa0#caf\xe9\n"), notes)
    assert rows[1] == (2, ["#money\u00a0#café"])
    assert notes["bytes read as cp1252"] == 2


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-200], lambda b: b[:-9], lambda b: b[:-8] + bytes(4) + b[-4:]]
)
def test_a_gzip_file_that_is_cut_or_damaged_is_an_error_naming_file_and_line(tmp_path: Path, damage) -> None:
    lines = "".join(f"{n},{n * 7919 % 10007}\n" for n in range(5000)).encode()
    path = written(tmp_path, damage(gzip.compress(b"a,b\n" + lines)), "cut.csv.gz")
    with pytest.raises(UnreadableFileError, match=r"cut\.csv\.gz.*(cut off|damaged).*line \d+"):
        rows_of(path)


def test_a_quote_never_closed_costs_its_row_and_not_the_memory(tmp_path: Path) -> None:
    body = b'a,b\n1,"' + b"x" * (FIELD_LIMIT + 10) + b"\n2,3\n"
    rows = rows_of(written(tmp_path, body))
    assert rows[0] == (1, ["a", "b"])
    assert len(rows[1][1]) == 1
    assert rows[-1] == (3, ["2", "3"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"nowhere\.csv"):
        CsvFile(tmp_path / "nowhere.csv")
