"""What `lykeion up` is told, and what ends it and a run: the first signal asks, the second one insists."""

import os
import signal
from argparse import ArgumentParser

import pytest

from lykeion.cli.driving import interruptible
from lykeion.cli.up import Stop, arguments, words_for_front
from lykeion.dashboard import serve


def test_the_first_ctrl_c_stops_up_after_what_is_under_way_and_the_second_at_once(capsys):
    stop = Stop()
    stop(signal.SIGINT, None)
    assert stop.asked
    assert "stopping" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        stop(signal.SIGINT, None)


def test_being_told_to_end_twice_by_a_service_manager_is_as_once(capsys):
    stop = Stop()
    for _ in range(3):
        stop(signal.SIGTERM, None)
    assert stop.asked
    assert capsys.readouterr().err.count("stopping") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_is_asked_to_be_cancelled_first_and_signals_are_as_before_afterwards(number):
    before = signal.getsignal(number)
    with interruptible() as interruption:
        os.kill(os.getpid(), number)
        assert interruption.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_all_that_is_wrong_with_where_it_is_reached_is_told_before_anything_is_opened(cli, home):
    said = cli("up", "--port", "0", "--root-path", "/a b", "--trusted-proxy", "nginx", "--trusted-proxy", "10.0.0.1/8", code=2).err
    assert all(one in said for one in ("--root-path", "/a b", "--trusted-proxy", "nginx", "10.0.0.1/8"))
    assert not home.exists()


def test_where_it_is_reached_is_told_to_the_process_behind_the_port():
    parser = ArgumentParser()
    arguments(parser, "up")
    words = words_for_front(
        parser.parse_args(["--host", "a.example", "--host", "b.example:8443", "--root-path", "lykeion/", "--trusted-proxy", "::1"])
    )
    told = serve.arguments(["--home", "h", "--port", "0", *words])
    assert (told.host, told.root_path, told.trusted_proxy) == (["a.example", "b.example:8443"], "/lykeion", ["::1/128"])
