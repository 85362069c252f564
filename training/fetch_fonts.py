"""Fetches the free fonts that row models learn from: of each family in `configs/fonts.toml` one file, of its usual
weight, by npm from Fontsource's packages.

    python -m training.fetch_fonts runs/fonts

writes runs/fonts/handwriting/*.ttf and runs/fonts/printed/*.ttf; what is there already is not fetched again.
"""

import argparse
import io
import logging
import shutil
import subprocess
import sys
import tarfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from fontTools.ttLib import TTFont, TTLibError
from tqdm import tqdm

LISTED = Path(__file__).parents[1] / "configs" / "fonts.toml"

_AT_ONCE = 6
_WAIT = 300  # seconds for one package
_LARGEST = 64 << 20  # bytes of a font file
_USUAL = 400  # the weight that families have, nearly all


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/fonts"))
    folder: Path = parser.parse_args().folder
    if shutil.which("npm") is None:
        sys.exit("npm is not here, and the fonts come from its registry; on Debian and Ubuntu: sudo apt install npm")
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    failed = []
    for kind, families in tomllib.loads(LISTED.read_text(encoding="utf-8")).items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            fetched = pool.map(partial(fetch, folder / kind), families)
            failed += [line for line in tqdm(fetched, kind, len(families), unit="font") if line]
    for line in failed:
        print(line, file=sys.stderr)
    print(f"{folder}: {sum(1 for _ in folder.rglob('*.ttf'))} fonts")


def fetch(folder: Path, family: str) -> str | None:
    """Put a family's font into `folder`; why there is none, in a line, else None."""
    name = family.lower().replace(" ", "-")
    path = folder / f"{name}.ttf"
    if path.is_file():
        return None
    with TemporaryDirectory() as packed:
        asked = ["npm", "pack", "--silent", f"@fontsource/{name}"]
        try:
            subprocess.run(asked, cwd=packed, check=True, timeout=_WAIT, capture_output=True)  # noqa: S603
            (package,) = Path(packed).glob("*.tgz")
            font = _font(package, name)
        except (subprocess.SubprocessError, tarfile.TarError, TTLibError, LookupError, ValueError) as error:
            return f"{family}: not fetched ({type(error).__name__})"
        part = path.with_suffix(".part")
        font.save(part)
        part.replace(path)
    return None


def _font(package: Path, name: str) -> TTFont:
    """The package's upright Latin font of the weight nearest to the usual one. Raises LookupError without any."""
    with tarfile.open(package) as archive:
        start, end = f"package/files/{name}-latin-", "-normal.woff"
        weights = {
            int(weight): member
            for member in archive
            if member.name.startswith(start)
            and member.name.endswith(end)
            and (weight := member.name.removeprefix(start).removesuffix(end)).isdigit()
        }
        member = weights[min(weights, key=lambda weight: abs(weight - _USUAL))] if weights else None
        content = archive.extractfile(member) if member and member.size <= _LARGEST else None
        if content is None:
            raise LookupError("no such file in it")
        font = TTFont(io.BytesIO(content.read()))
    font.flavor = None  # unpacked
    return font


if __name__ == "__main__":
    main()
