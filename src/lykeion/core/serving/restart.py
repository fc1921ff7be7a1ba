"""When a process that ended by itself is started again: soon the first time, then ever later, at once again when it has been well."""

from dataclasses import dataclass

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 30.0
WELL_AFTER = 60.0  # seconds up: what happened before is forgotten
LOOP_FROM = 3  # crashes in a row that are called a loop


@dataclass(frozen=True, slots=True)
class Crashes:
    """How often in a row it ended by itself, and when last (seconds on the caller's clock)."""

    count: int = 0
    last: float = 0.0

    def ended(self, now: float, up: float) -> "Crashes":
        """After one more end, having been up for `up` seconds."""
        return Crashes(1 if up >= WELL_AFTER else self.count + 1, now)

    @property
    def pause(self) -> float:
        """Seconds from the last end to the next start."""
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.count - 1, 32)) if self.count else 0.0

    @property
    def start_at(self) -> float:
        return self.last + self.pause

    @property
    def reason(self) -> str:
        """The one word for a Child that waits to be started again."""
        return "" if not self.count else "CrashLoopBackOff" if self.count >= LOOP_FROM else "Restarting"
