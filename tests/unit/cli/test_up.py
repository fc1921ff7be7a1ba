"""What ends `lykeion up` and a run: the first signal asks, the second one insists."""

import os
import signal

import pytest

from lykeion.cli.driving import interruptible
from lykeion.cli.up import Stop


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
