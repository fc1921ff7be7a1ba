"""What a test gets of the site that it looks at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext

from lykeion.adapters.local.token import token_of
from lykeion.assembly import Platform
from lykeion.core.resources import Training, TrainingStatus


@dataclass(frozen=True, slots=True)
class Site:
    url: str
    platform: Platform
    catalogue: list[dict[str, Any]]
    mode: Path

    def let_in(self, context: BrowserContext) -> BrowserContext:
        """A context whose tabs have the token, as those have that `lykeion open` opened."""
        token = token_of(self.platform.home.root)
        context.add_init_script(f"if (location.protocol === 'http:') sessionStorage.setItem('lykeion-token', '{token}')")
        return context


def make_training(site: Site, name: str, status: TrainingStatus) -> Training:
    spec = {"pipelineRef": {"name": "photo-search"}, "parameters": {"listings": "x.csv"}}
    made = site.platform.resources.create(Training.model_validate({"metadata": {"name": name}, "spec": spec}))
    kept = site.platform.resources.write_status(made.model_copy(update={"status": status}))
    assert isinstance(kept, Training)
    return kept
