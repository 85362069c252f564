"""What tests of digitd.toml share: the annotated file, all that may stand in it, and a least one."""

import re
from pathlib import Path

DEFAULT = Path(__file__).parents[2] / "configs" / "digitd.toml"
OPTION = re.compile(r"^#(?=[a-z_]+ = |\[)", re.MULTILINE)


def everything() -> str:
    """The annotated file with all that it has commented out."""
    return OPTION.sub("", DEFAULT.read_text(encoding="utf-8"))


def camera(text: str) -> str:
    return f'[cameras.desk]\nsource = "0"\n{text}\n'
