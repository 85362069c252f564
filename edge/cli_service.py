"""`digitd service` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from edge.cli_group import group

app = group("service", "Run digitd as a service of systemd.", "sudo digitd service install")

Prefix = Annotated[Path, typer.Option(metavar="DIR", help="Where the service's venv is.")]
Root = Annotated[
    Path, typer.Option(metavar="DIR", help="Of another system, as an image being built; systemd is not told.")
]


@app.command()
def install(
    prefix: Prefix = Path("/opt/digitd"),
    drop_in: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Change the unit by cuda, network-cameras, notify-reload; more than one can."
        ),
    ] = None,
    wheels: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Take packages from there, and nothing from the network.")
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="Start it, too.")] = False,
    root: Root = Path("/"),
) -> None:
    """Install this digitd as a service: a venv under /opt, digitd.toml under /etc, the unit, enabled.

    A digitd.toml that is there stays; where the default has changed, the new one is laid beside
    it as digitd.toml.new. What is in place already is left alone. Needs root.

    \b
    Examples:
      sudo digitd service install
      sudo digitd service install --now --drop-in network-cameras
      sudo digitd service install --wheels /media/usb/wheels
    """
    from edge.commands import service as command

    raise typer.Exit(command.install(prefix, root, wheels, drop_in or [], now))


@app.command()
def status(prefix: Prefix = Path("/opt/digitd"), root: Root = Path("/")) -> None:
    """Say what is installed and how it does.

    \b
    Example:
      digitd service status

    \b
    Exit codes: 0 installed and running, 1 not so.
    """
    from edge.commands import service as command

    raise typer.Exit(command.status(prefix, root))


@app.command()
def uninstall(
    prefix: Prefix = Path("/opt/digitd"),
    purge: Annotated[bool, typer.Option("--purge", help="Delete configuration, credentials and state, too.")] = False,
    root: Root = Path("/"),
) -> None:
    """Stop the service and remove its unit and venv; configuration and state stay. Needs root.

    \b
    Example:
      sudo digitd service uninstall
    """
    from edge.commands import service as command

    raise typer.Exit(command.uninstall(prefix, root, purge))
