"""The QR code of the page's address."""

import segno

from kelly_live.ui.page.qr_code import draw_qr_code

ADDRESS = "http://192.0.2.7:8808/?token=abcdefghijklmnopqrstuv"


def test_two_rows_of_squares_stand_in_each_line() -> None:
    lines = draw_qr_code(ADDRESS)
    light = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}
    rows = [[light[block][half] for block in line] for line in lines for half in (0, 1)]
    expected = [[1 - bool(square) for square in row] for row in segno.make_qr(ADDRESS).matrix_iter(border=2)]
    assert rows[: len(expected)] == expected
    assert len(lines[0]) <= 80
