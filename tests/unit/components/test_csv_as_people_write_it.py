"""CSV as spreadsheets, scripts and people write it: read as it was meant, and what cannot be read is told with its line."""

import csv
import io
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lykeion.components.csv_encoding import Encoding, detect_encoding, is_utf8_within
from lykeion.components.csv_fields import fields
from lykeion.components.csv_records import LONGEST_RECORD
from lykeion.components.listings import BadValue, Listing, Rejected, price
from lykeion.components.listings_csv import csv_listings
from lykeion.errors import Invalid

HEADER = ["id", "title", "pictures", "brand"]


@pytest.fixture
def read(tmp_path: Path):
    """read(text or bytes) -> (listings, what was set aside)."""

    def reading(data: str | bytes) -> tuple[list[Listing], list[Rejected]]:
        file = tmp_path / "x.csv"
        file.write_bytes(data.encode() if isinstance(data, str) else data)
        made = list(csv_listings(file))
        return [one for one in made if isinstance(one, Listing)], [one for one in made if isinstance(one, Rejected)]

    return reading


def ids(listings: list[Listing]) -> list[str]:
    return [one.id for one in listings]


def meant(value: str, is_quoted: bool) -> str:
    """What is read of a value that was written."""
    text = value.replace("\0", "")
    return unicodedata.normalize("NFC", text if is_quoted else text.strip())


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.text(' ",;\t|\r\nab', max_size=8)
ROW = st.tuples(TEXT, TEXT)
DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|"),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
    }
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])


@settings(max_examples=300)
@given(st.lists(ROW, max_size=6), DIALECTS, ENCODINGS, st.booleans())
@example([("a\r\nb", "x")], {"delimiter": ",", "quoting": csv.QUOTE_ALL, "lineterminator": "\r\n"}, "utf-16", True)
def test_what_any_dialect_writes_is_read_back(tmp_path_factory, rows, dialect, encoding, says_delimiter) -> None:
    if encoding == "cp1252":
        rows = [tuple(value.encode("cp1252", "ignore").decode("cp1252") for value in row) for row in rows]
    is_quoted = dialect["quoting"] == csv.QUOTE_ALL
    if not is_quoted:
        end = dialect["lineterminator"]  # Python's writer puts no other line end into quotes
        rows = [tuple(re.sub(r"[\r\n]+", end, value).strip() for value in row) for row in rows]
    text = io.StringIO(newline="")
    writer = csv.writer(text, **dialect)
    writer.writerow(HEADER)
    writer.writerows([f"id-{number}", title, "a/b.jpg; c.png", brand] for number, (title, brand) in enumerate(rows))
    first = f"sep={dialect['delimiter']}{dialect['lineterminator']}" if says_delimiter else ""
    file = tmp_path_factory.mktemp("csv") / "x.csv"
    file.write_bytes((first + text.getvalue()).encode(encoding))
    assume(detect_encoding(file).name == encoding or text.getvalue().isascii())  # "Â¡" in Windows-1252 is "¡" in UTF-8
    assume(not any(is_utf8_within("".join(row), Encoding(encoding, True)) for row in rows))
    made = list(csv_listings(file))
    assert [one for one in made if isinstance(one, Rejected)] == []
    assert [(one.title, one.attributes["brand"]) for one in made] == [tuple(meant(value, is_quoted) for value in row) for row in rows]
    assert all(one.pictures == ("a/b.jpg", "c.png") for one in made)


@given(st.text(' ",;ab', max_size=20), st.sampled_from(",;"))
def test_fields_are_those_that_pythons_csv_reads(text: str, delimiter: str) -> None:
    (values,) = list(csv.reader([text], delimiter=delimiter, skipinitialspace=True)) or [[]]
    found = [field.value for field in fields(text, delimiter)]
    assert [value.strip() for value in found] == [value.strip() for value in values or [""]]


@given(st.integers(0, 19), st.sampled_from(['"27 inch screen', '"', '"a ""b"" c', ' "x']), st.sampled_from(["\n", "\r\n", "\r"]))
def test_an_open_quote_costs_its_own_row_and_no_other(tmp_path_factory, bad: int, title: str, end: str) -> None:
    rows = [f'i{number},"Chair, ""old"", {number}",i{number}.jpg' for number in range(20)]
    rows[bad] = f"i{bad},{title},i{bad}.jpg"
    file = tmp_path_factory.mktemp("csv") / "x.csv"
    file.write_bytes(end.join(["id,title,pictures", *rows, ""]).encode())
    made = list(csv_listings(file))
    assert [one.id for one in made] == [f"i{number}" for number in range(20)]
    (told,) = [one for one in made if isinstance(one, Rejected)]
    assert (told.id, told.line) == (f"i{bad}", bad + 2)
    assert "is not closed" in told.reason
    assert str(told.value).startswith(rows[bad])


@pytest.mark.parametrize(
    "bad",
    [
        r'1,"A \"q\" b",p1.jpg,x',
        r'1,"A \"q, r\" b",p1.jpg,x',
        r'1,"\"q\"",p1.jpg,x',
        r'1, "27\" x 30\"" ,p1.jpg,x',
        r"1,A \"q, r\" b,p1.jpg,x",
        '1,"A 5" plate, blue,p1.jpg,x',
        '1,"A 5" plate,p1.jpg,x',
        '1,"" b,p1.jpg,x',
        '1,"two\nlines" b,p1.jpg,x',
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ""])
def test_a_quote_that_closes_where_no_field_ends_costs_its_own_row(read, bad: str, end: str) -> None:
    rows = ["id,title,pictures,brand", '0,"a, ""b""",p0.jpg,y', bad] + ['2,"c",p2.jpg,z'] * bool(end)
    good, told = read((end or "\n").join(rows) + end)
    assert ids(good) == ["0", "2"][: 2 if end else 1]
    assert good[0].title == 'a, "b"'
    (one,) = told
    assert (one.id, one.line) == ("1", 3)
    assert "a quote closes in it where no field ends" in one.reason or (not end and "is not closed" in one.reason)
    assert str(one.value).startswith(bad[:3])


@pytest.mark.parametrize("title", ['27" screen', r"C:\dir\file", 'the "best" one', r'"ends with \"', '"a ""b"" c"  ', r"5\" 6"])
def test_quotes_and_backslashes_that_have_one_meaning_stay(read, title: str) -> None:
    good, bad = read(f"id,title,pictures\n1,{title},a.jpg\n2,x,b.jpg\n")
    assert bad == []
    assert ids(good) == ["1", "2"]


def test_open_quotes_are_found_where_nothing_looks_like_a_picture(read) -> None:
    good, bad = read('id,title,pictures\n1,a,p1\n2,"27 inch,p2\n3,b,p3\n4,"c, d",p4\n5,e,p5\n6,"f,p6\n7,g,p7\n')
    assert ids(good) == ["1", "3", "4", "5", "7"]
    assert [(one.id, one.line) for one in bad] == [("2", 3), ("6", 7)]


@pytest.mark.parametrize("bad", ['{0},"a,p{0}', '{0},"a","b', '{0},"""a,p{0}'])
def test_however_many_quotes_are_open_each_costs_its_own_row(read, bad: str) -> None:
    rows = [bad.format(number) if number % 5 else f'{number},"c, d",p{number}' for number in range(5000)]
    good, told = read("\n".join(["id,title,pictures", *rows, ""]))
    assert ids(good) == [str(number) for number in range(0, 5000, 5)]
    assert [one.line for one in told] == [number + 2 for number in range(5000) if number % 5]


def test_an_open_quote_behind_a_quoted_text_of_several_lines_is_told_at_its_own_line(read) -> None:
    good, bad = read('id,title,note,pictures\n1,"two\nlines","open,a.jpg\n2,b,c,d.jpg\n')
    assert ids(good) == ["2"]
    assert [(one.id, one.line) for one in bad] == [("1", 3)]


@pytest.mark.parametrize(
    "text",
    [
        "two\nlines",
        "old, and nice\nwith legs, and a seat",
        "a\n\nb\n",
        'he said ""yes"", twice\n""no"", 1, 2, x',
        "files: a.jpg\nb.jpg",
        "\n",
        ",\n,",
    ],
)
@pytest.mark.parametrize("columns", ["id,title,pictures", "id,title,price,colour,pictures", "id,pictures,title"])
def test_quoted_line_ends_stay_what_they_are(read, text: str, columns: str) -> None:
    values = {"id": "1", "title": f'"{text}"', "price": "12", "colour": "red", "pictures": "a.jpg"}
    row = ",".join(values[name] for name in columns.split(","))
    good, bad = read(f"{columns}\n{row}\n{row.replace('1', '2', 1)}\n")
    assert bad == []
    assert [one.title for one in good] == [text.replace('""', '"')] * 2


def test_a_quote_that_is_open_for_very_long_costs_its_row_and_bounded_memory(read) -> None:
    lines = [f"{number},{'x' * 90},p{number}" for number in range(2, LONGEST_RECORD // 80)]
    good, bad = read("\n".join(["id,title,pictures", '1,"open,p1', *lines, ""]))
    assert [one.id for one in bad] == ["1"]
    assert len(good) == len(lines)


def test_a_line_without_end_is_set_aside(read) -> None:
    good, bad = read("id,pictures\n1," + "x" * (2 * LONGEST_RECORD) + "\n2,a.jpg\n")
    assert ids(good) == ["2"]
    assert [one.line for one in bad] == [2]


def test_windows_own_characters_are_read(read) -> None:
    good, _ = read("id,title,brand,pictures\n1,“Vintage” chair – 5 €,Chloé’s,a.jpg\n".encode("cp1252"))
    assert good[0].title == "“Vintage” chair – 5 €"
    assert good[0].attributes["brand"] == "Chloé’s"


def test_bytes_that_are_no_text_are_told_with_their_row(read) -> None:
    good, bad = read("id,title,pictures\n1,Möbel,a.jpg\n2,x,b.jpg\n".encode("cp1252").replace(b"x", b"\x81\x8d"))
    assert ids(good) == ["1"]
    assert (bad[0].id, bad[0].line) == ("2", 3)
    assert "0x81 0x8d" in bad[0].reason
    assert "Windows-1252" in bad[0].reason


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_one_torn_character_makes_no_other_encoding_of_a_whole_file(read, mark: bytes) -> None:
    rows = "".join(f"{number},Schöne Grüße,a.jpg\n" for number in range(20)).encode()
    good, bad = read(mark + b"id,title,pictures\n" + rows + b"t,Gr\xc3,a.jpg\n")
    assert {one.title for one in good} == {"Schöne Grüße"}
    assert [(one.id, one.line) for one in bad] == [("t", 22)]
    assert "0xc3" in bad[0].reason


JOINED = "99,Café crème – é,p2.jpg,Zoë “x”\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("count", [1, 20])
def test_a_row_of_another_encoding_costs_itself_and_no_letter_of_the_others(read, count: int, end: str) -> None:
    sound = "".join(f"{number},Café {number},p1.jpg,Zoë\n" for number in range(count))
    text = ("id,title,pictures,brand\n" + sound).encode() + JOINED.encode("cp1252")
    good, bad = read(text.replace(b"\n", end.encode()))
    assert [(one.title, one.attributes["brand"]) for one in good] == [(f"Café {number}", "Zoë") for number in range(count)]
    assert [(one.id, one.line) for one in bad] == [("99", count + 2)]
    assert "bytes that are no text in UTF-8" in bad[0].reason


def test_a_row_of_utf8_in_a_file_of_windows_own_is_set_aside_too(read) -> None:
    rows = "".join(f"{number},CAFÉ’S {number} – MENÜ,p1.jpg\n" for number in range(20)) + "x,CAFÉ’S,p1.jpg\n"
    good, bad = read(("id,title,pictures\n" + rows).encode("cp1252") + "y,Café,p1.jpg\n".encode())
    assert [one.title for one in good] == [*(f"CAFÉ’S {number} – MENÜ" for number in range(20)), "CAFÉ’S"]
    assert [(one.id, one.line) for one in bad] == [("y", 23)]
    assert "UTF-8" in bad[0].reason


def test_a_torn_header_is_one_error(read) -> None:
    with pytest.raises(Invalid, match="0x81"):
        read(b"id,pictures,\x81\n1,a.jpg,x\n")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sep=;\nid;pictures;a,b,c,d\n1;x.jpg;2\n", ["a,b,c,d"]),
        ('"sep=|"\r\nid|pictures|colour\r\n1|x.jpg|2\r\n', ["colour"]),
        ("SEP=\t\nid\tpictures\tcolour\n1\tx.jpg\t2\n", ["colour"]),
        ('id;pictures;"size (l, w, h)";"price, EUR"\n1;x.jpg;2;3\n', ["size (l, w, h)", "price, EUR"]),
        ("id;pictures;size (l, w, h, d)\n1;x.jpg;2\n", ["size (l, w, h, d)"]),
        ('id,pictures,"size\n(cm)"\n1,x.jpg,2\n', ["size\n(cm)"]),
        ("id , pictures, colour \n1,x.jpg,2\n", ["colour"]),
        (",id,pictures\n0,1,x.jpg\n", ["column_1"]),
    ],
)
def test_the_columns_are_those_that_the_first_lines_say(read, text: str, names: list[str]) -> None:
    good, bad = read(text)
    assert bad == []
    assert list(good[0].attributes) == names
    assert (good[0].id, good[0].pictures) == ("1", ("x.jpg",))


def test_a_header_whose_quote_is_open_is_one_error(read) -> None:
    with pytest.raises(Invalid, match="line 1: a quote opens in the names"):
        read('id,"title,pictures\n' + "1,a,b.jpg\n" * 300)


def test_columns_without_a_name_at_the_end_are_passed_over_where_they_are_empty(read) -> None:
    good, bad = read("id,title,pictures,,\n1,a,a.jpg,,\n2,b,b.jpg\n3,Chair, old,c.jpg,\n4,d,d.jpg, ,\n")
    assert ids(good) == ["1", "2", "4"]
    assert [(one.id, one.line, one.value) for one in bad] == [("3", 4, "c.jpg")]
    assert "behind the columns that have a name" in bad[0].reason


def test_blanks_around_values_go_and_blanks_inside_quotes_stay(read) -> None:
    good, bad = read('id,title,pictures,colour,note\n 1, "a, b" ,x.jpg, red ," in quotes "\n')
    assert bad == []
    assert good[0] == Listing("1", "a, b", pictures=("x.jpg",), attributes={"colour": "red", "note": " in quotes "}, line=2)


@pytest.mark.parametrize("text", ["1_000", "1_0.5", "_1"])
def test_what_only_python_calls_a_number_is_no_price(text: str) -> None:
    with pytest.raises(BadValue):
        price(text)


def test_the_same_letters_are_the_same_text(read) -> None:
    nfd = unicodedata.normalize("NFD", "Café")
    good, _ = read(f"id,title,category,pictures,{nfd}\n1,Café,Café,a.jpg,Café\n2,{nfd},{nfd},a.jpg,{nfd}\n")
    assert good[0]._replace(id="", line=0) == good[1]._replace(id="", line=0)
    assert list(good[0].attributes) == ["Café"]


def test_ids_are_told_where_a_value_is_wrong_with_its_line(read) -> None:
    _, bad = read('id,title,pictures,price\n1,"two\nlines",a.jpg,2\n2,x,b.jpg,cheap\n')
    assert [(one.id, one.line, one.value) for one in bad] == [("2", 4, "cheap")]
