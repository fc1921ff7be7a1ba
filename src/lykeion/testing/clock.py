"""Time for tests: it stands still until it is told to go on."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """`ports.Clock`, from 2026-01-01 unless told otherwise."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.time = start

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> datetime:
        self.time += timedelta(seconds=seconds)
        return self.time
