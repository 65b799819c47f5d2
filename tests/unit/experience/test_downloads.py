"""Ranges and names of downloads."""

import pytest
from starlette.requests import Request

from foundations.experience.downloads import RangeNotSatisfiable, Slice, attachment, wanted


def asked(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("", 0, 100),
        ("bytes=0-0", 0, 1),
        ("bytes=99-", 99, 100),
        ("bytes=50-1000", 50, 100),
        ("bytes=-30", 70, 100),
        ("bytes=-1000", 0, 100),
        ("bytes=9-3", 0, 100),
        ("bytes=1-2,5-6", 0, 100),
        ("bytes=a-b", 0, 100),
    ],
)
def test_one_range_is_understood_and_all_else_is_the_whole(
    header: str, start: int, end: int
) -> None:
    found = wanted(asked(range=header), size=100, etag='"e"')

    assert found == Slice(start, end, 100)
    assert found.partial is ((start, end) != (0, 100))


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_range_without_a_byte_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        wanted(asked(range=header), size=100, etag='"e"')

    assert refused.value.headers == {"Content-Range": "bytes */100"}


def test_range_of_an_older_version_is_the_whole() -> None:
    assert not wanted(asked(range="bytes=0-1", if_range='"old"'), size=9, etag='"new"').partial
    assert wanted(asked(range="bytes=0-1", if_range='"new"'), size=9, etag='"new"').partial


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.csv", "attachment; filename=\"a b.csv\"; filename*=UTF-8''a%20b.csv"),
        ('q"\\;%.txt', "attachment; filename=\"q____.txt\"; filename*=UTF-8''q%22%5C%3B%25.txt"),
        ("né\r\n.txt", "attachment; filename=\"n___.txt\"; filename*=UTF-8''n%C3%A9%0D%0A.txt"),
    ],
)
def test_any_name_fits_into_the_header(name: str, header: str) -> None:
    assert attachment(name) == header
