"""What several commands take."""

from pathlib import Path
from typing import Annotated

import typer

State = Annotated[Path, typer.Option("--state", metavar="DIR", help="The stack's state folder.")]
DEFAULT_STATE = Path(".piperoll")
